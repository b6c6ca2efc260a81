
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Workspace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('org_id', models.CharField(help_text="Hoursmith's id of the workspace.", max_length=64, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('plan', models.CharField(blank=True, max_length=16)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('needs_second_factor', models.BooleanField(default=False, help_text='Whoever reviews the workspace has a second factor, or sets one up before anything.')),
                ('retention_days', models.PositiveIntegerField(blank=True, help_text='How long audit rows are kept; audit_prune removes what is older.', null=True)),
            ],
            options={
                'ordering': ['name', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Member',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('member_id', models.CharField(help_text="Hoursmith's id of the membership.", max_length=64)),
                ('user_ref', models.CharField(help_text="Hoursmith's id of the person.", max_length=64)),
                ('name', models.CharField(max_length=200)),
                ('email', models.EmailField(max_length=254)),
                ('role', models.CharField(choices=[('OWNER', 'Owner'), ('ADMIN', 'Admin'), ('MANAGER', 'Manager'), ('MEMBER', 'Member')], max_length=16)),
                ('is_active', models.BooleanField(default=True)),
                ('is_auditor', models.BooleanField(default=False, help_text='Reads everything of the workspace in the console, and changes nothing.')),
                ('invited_at', models.DateTimeField(blank=True, null=True)),
                ('shut_out_at', models.DateTimeField(blank=True, help_text='When their way into the console was closed here, whatever Hoursmith says.', null=True)),
                ('shut_out_by', models.CharField(blank=True, max_length=200)),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='members', to='workspaces.workspace')),
            ],
            options={
                'ordering': ['name', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(help_text="The member's address when they were invited.", max_length=254)),
                ('role', models.CharField(choices=[('OWNER', 'Owner'), ('ADMIN', 'Admin'), ('MANAGER', 'Manager'), ('MEMBER', 'Member')], help_text="The member's role when they were invited.", max_length=16)),
                ('way', models.CharField(choices=[('mail', 'link by mail'), ('operator', 'link from an operator'), ('console', 'no link')], max_length=16)),
                ('digest', models.CharField(help_text="SHA-256 of the link's secret.", max_length=64, null=True, unique=True)),
                ('takes_address', models.BooleanField(default=False, help_text='Makes an account even where another one uses the address without proof.')),
                ('inviter', models.CharField(max_length=500)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('outcome', models.CharField(blank=True, choices=[('accepted', 'Accepted'), ('declined', 'Declined'), ('replaced', 'Replaced'), ('withdrawn', 'Withdrawn')], max_length=16)),
                ('member', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='workspaces.member')),
            ],
            options={
                'ordering': ['-made_at', '-id'],
            },
        ),
        migrations.AddConstraint(
            model_name='member',
            constraint=models.UniqueConstraint(fields=('workspace', 'user_ref'), name='member_once_a_workspace'),
        ),
        migrations.AddConstraint(
            model_name='member',
            constraint=models.UniqueConstraint(condition=models.Q(('user__isnull', False)), fields=('workspace', 'user'), name='account_once_a_workspace'),
        ),
    ]
