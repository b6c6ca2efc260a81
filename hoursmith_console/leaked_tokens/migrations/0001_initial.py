
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
            name='LeakReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('env', models.CharField(help_text='live or test', max_length=4, verbose_name='environment')),
                ('prefix', models.CharField(help_text='The public part of the token.', max_length=12)),
                ('place', models.CharField(blank=True, help_text='Where it was found, in their words.', max_length=200)),
                ('reported_by', models.CharField(max_length=200)),
                ('reported_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('settled_by', models.CharField(blank=True, max_length=200)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='leak_reports', to='workspaces.workspace')),
            ],
            options={
                'ordering': ['-reported_at', '-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('settled_at', None)), fields=('workspace', 'env', 'prefix'), name='one_open_leak_report')],
            },
        ),
    ]
