
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('campaigns', '0001_initial'),
        ('workspaces', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Rotation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('env', models.CharField(help_text='live or test', max_length=4, verbose_name='environment')),
                ('prefix', models.CharField(help_text='The public part of the token.', max_length=12)),
                ('kind', models.CharField(choices=[('leaked', 'It may have leaked'), ('planned', 'Planned'), ('leaving', 'Its owner leaves')], max_length=8)),
                ('owner_name', models.CharField(blank=True, help_text='As they were called then.', max_length=200)),
                ('is_owner_said', models.BooleanField(default=False, help_text='An admin named the owner; no claim shows it.')),
                ('token_name', models.CharField(blank=True, max_length=200)),
                ('role', models.CharField(blank=True, max_length=16)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('asked_by', models.CharField(max_length=200)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('due_on', models.DateField(blank=True, null=True)),
                ('reminded_at', models.DateTimeField(blank=True, null=True)),
                ('new_env', models.CharField(blank=True, max_length=4)),
                ('new_prefix', models.CharField(blank=True, max_length=12)),
                ('successor', models.CharField(blank=True, choices=[('minted', 'Created by this rotation'), ('shown', 'Shown by its owner, or known as theirs before')], help_text='How the new one is known.', max_length=6)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('is_revocation_said', models.BooleanField(default=False, help_text='A member said that they revoked it at Hoursmith; the console did not.')),
                ('minted_at', models.DateTimeField(blank=True, null=True)),
                ('updated_at', models.DateTimeField(blank=True, help_text='When its person said that all is updated.', null=True)),
                ('seen_at', models.DateTimeField(blank=True, help_text='When the new token had worked everywhere.', null=True)),
                ('silent_at', models.DateTimeField(blank=True, help_text='When nothing tried the old one any more.', null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ending', models.CharField(blank=True, choices=[('done', 'Done'), ('abandoned', 'Abandoned')], max_length=9)),
                ('ended_by', models.CharField(blank=True, max_length=200)),
                ('campaign', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='rotations', to='campaigns.campaign')),
                ('owner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='rotations', to='workspaces.member')),
                ('revoked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='workspaces.member')),
                ('updated_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='workspaces.member')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rotations', to='workspaces.workspace')),
            ],
            options={
                'ordering': ['-asked_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='RotationPlace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('connection', models.CharField(blank=True, help_text='The id in its address, where it has one.', max_length=40)),
                ('client_name', models.CharField(blank=True, help_text='Self-reported.', max_length=120)),
                ('client', models.CharField(blank=True, help_text='Which client it is: a key of the catalogue.', max_length=32)),
                ('label', models.CharField(max_length=200)),
                ('last_used_at', models.DateTimeField(blank=True, help_text='With the old token, before the rotation.', null=True)),
                ('ticked_at', models.DateTimeField(blank=True, help_text='When its person said that it is updated.', null=True)),
                ('seen_at', models.DateTimeField(blank=True, help_text='When the new token was first seen here.', null=True)),
                ('given_up_at', models.DateTimeField(blank=True, help_text='When it was said to be no longer in use.', null=True)),
                ('rotation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='places', to='rotations.rotation')),
                ('said_by', models.ForeignKey(blank=True, help_text='Who said so last.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='workspaces.member')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Mail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=80, unique=True)),
                ('kind', models.CharField(choices=[('asked', 'Asked for a rotation'), ('reminder', 'Reminded of it')], max_length=8)),
                ('queued_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('next_try_at', models.DateTimeField(blank=True, help_text='Empty once it is sent or given up.', null=True)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('fault', models.CharField(blank=True, help_text='Why the last try failed.', max_length=120)),
                ('campaign', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='mails', to='campaigns.campaign')),
                ('member', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='workspaces.member')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='workspaces.workspace')),
            ],
            options={
                'ordering': ['-queued_at', '-id'],
                'indexes': [models.Index(condition=models.Q(('sent_at', None)), fields=['next_try_at'], name='mail_to_try')],
            },
        ),
        migrations.AddIndex(
            model_name='rotation',
            index=models.Index(fields=['workspace', '-asked_at', '-id'], name='rotation_workspace'),
        ),
        migrations.AddConstraint(
            model_name='rotation',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('workspace', 'env', 'prefix'), name='one_rotation_under_way'),
        ),
        migrations.AddConstraint(
            model_name='rotationplace',
            constraint=models.UniqueConstraint(fields=('rotation', 'connection', 'client_name'), name='rotation_place_once'),
        ),
    ]
