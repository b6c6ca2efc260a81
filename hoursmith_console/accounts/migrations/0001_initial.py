
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('account', '0009_emailaddress_unique_primary_email'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SharedCount',
            fields=[
                ('cache_key', models.CharField(max_length=255, primary_key=True, serialize=False)),
                ('value', models.TextField()),
                ('expires', models.DateTimeField(db_index=True)),
            ],
            options={
                'db_table': 'console_shared_counts',
            },
        ),
        migrations.CreateModel(
            name='AddressProof',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('how', models.CharField(choices=[('mail_link', 'link by mail'), ('oidc', 'OpenID Connect')], max_length=16)),
                ('issuer', models.CharField(blank=True, help_text='The OpenID Connect issuer that vouched for it.', max_length=255)),
                ('proven_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('address', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='proof', to='account.emailaddress')),
            ],
            options={
                'ordering': ['proven_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='ConsoleSession',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session_key', models.CharField(max_length=40, unique=True)),
                ('address', models.CharField(blank=True, help_text='Where it was last seen.', max_length=45)),
                ('agent', models.CharField(blank=True, help_text='What the browser calls itself.', max_length=200)),
                ('began_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now, help_text='To the minute.')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='console_sessions', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-seen_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='OpenIdIdentity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('issuer', models.CharField(max_length=255)),
                ('subject', models.CharField(max_length=255)),
                ('label', models.CharField(blank=True, help_text='The verified address that the provider last gave.', max_length=254)),
                ('linked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='openid_identities', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['linked_at', 'id'],
                'constraints': [models.UniqueConstraint(fields=('issuer', 'subject'), name='openid_identity_once')],
            },
        ),
    ]
