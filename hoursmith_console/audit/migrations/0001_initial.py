
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Verification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('org_id', models.CharField(max_length=64, verbose_name='workspace')),
                ('asked_by', models.CharField(blank=True, max_length=255)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now, help_text='When the run last said how far it is.')),
                ('ended_at', models.DateTimeField(null=True)),
                ('rows', models.PositiveBigIntegerField(default=0, help_text='Rows read.')),
                ('total', models.PositiveBigIntegerField(default=0, help_text='Rows there were when it began.')),
                ('vouched', models.PositiveBigIntegerField(default=0, help_text='The last row that a checkpoint covers.')),
                ('is_sound', models.BooleanField(help_text='Empty while it runs, and where it could not be done.', null=True)),
                ('fault', models.CharField(blank=True, help_text='Why it could not be done.', max_length=200)),
                ('bad_kind', models.CharField(blank=True, help_text='What happened: edited, removed, cut tail …', max_length=20)),
                ('bad_sequence', models.PositiveBigIntegerField(help_text="The first bad row's place in the chain.", null=True)),
                ('bad_row', models.CharField(blank=True, help_text="That row's id, where a row stands there.", max_length=64)),
                ('bad_call', models.UUIDField(help_text='The call or event that the row belongs to.', null=True)),
                ('bad_reason', models.CharField(blank=True, max_length=400)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['org_id', '-id'], name='verification_org')],
            },
        ),
    ]
