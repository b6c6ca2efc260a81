
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('workspaces', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ClaimAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('member', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='claim_attempts', to='workspaces.member')),
            ],
            options={
                'ordering': ['-at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='TokenClaim',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('env', models.CharField(help_text='live or test', max_length=4, verbose_name='environment')),
                ('prefix', models.CharField(help_text='The public part of the token.', max_length=12)),
                ('source', models.CharField(help_text='How this is known: minted here, claimed, imported …', max_length=32)),
                ('form', models.CharField(blank=True, help_text='The one-use mark of the form that minted it here.', max_length=32)),
                ('claimed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('member', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='token_claims', to='workspaces.member')),
            ],
            options={
                'ordering': ['-claimed_at', '-id'],
                'constraints': [models.UniqueConstraint(fields=('env', 'prefix'), name='token_claimed_once'), models.UniqueConstraint(condition=models.Q(('form', ''), _negated=True), fields=('member', 'form'), name='form_mints_once')],
            },
        ),
    ]
