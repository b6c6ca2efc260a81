"""Add the signature that a key makes on its own announcement."""

from django.db import migrations, models

from mcpbridge.db.columns import AddColumn


class Migration(migrations.Migration):
    dependencies = [("mcpbridge", "0003_activity_partitions")]

    operations = [
        AddColumn(
            model_name="signingkey",
            name="countersignature",
            field=models.CharField(
                blank=True, help_text="The signature of the key itself; empty for the first.", max_length=88
            ),
        ),
    ]
