
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('workspaces', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Policy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('max_age_days', models.PositiveIntegerField(blank=True, null=True)),
                ('max_idle_days', models.PositiveIntegerField(blank=True, null=True)),
                ('warn_days', models.PositiveIntegerField(default=14, help_text='How long before the limit people are warned.')),
                ('tells_in_text', models.BooleanField(default=False, help_text='Assistants are told in the text of results too, not in their metadata alone.')),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('workspace', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='rotation_policy', to='workspaces.workspace')),
            ],
        ),
    ]
