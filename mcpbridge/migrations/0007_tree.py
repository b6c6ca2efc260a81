"""Add the tree of each audit log, checkpoints as notes, and what rows of format 2 have."""

import django.db.models.deletion
from django.db import migrations, models

from mcpbridge.db.columns import AddColumn


def columns():
    yield "auditevent", "epoch", models.PositiveIntegerField(
        default=0, editable=False, help_text="From 1; 0 for a row of format 1."
    )
    yield "auditevent", "seal", models.BinaryField(
        null=True, help_text="32 random bytes, from which the salts of sealed members are made."
    )
    yield "signinghead", "origin", models.CharField(
        blank=True, max_length=255, help_text="The name of the tree; empty in format 1."
    )
    yield "signinghead", "root", models.CharField(
        blank=True, max_length=64, help_text="The root of the tree, in hexadecimal."
    )
    yield "signinghead", "signed_note", models.TextField(
        blank=True, help_text="The same head as a signed note (C2SP tlog-checkpoint)."
    )
    yield "signingkey", "use", models.CharField(
        blank=True, max_length=8, help_text="signing or recovery; empty for an announcement of format 1."
    )


class Migration(migrations.Migration):
    dependencies = [("mcpbridge", "0006_epochs")]

    operations = [
        *(AddColumn(model_name=model, name=name, field=field) for model, name, field in columns()),
        migrations.CreateModel(
            name="AuditTile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("org_id", models.CharField(max_length=64, verbose_name="workspace")),
                (
                    "level",
                    models.PositiveSmallIntegerField(
                        help_text="0 for leaves; a hash of level l has 256^l leaves below it."
                    ),
                ),
                ("number", models.PositiveBigIntegerField(help_text="The tile's place in its level.")),
                ("hashes", models.BinaryField()),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(fields=("org_id", "level", "number"), name="one_tile_a_place")
                ],
            },
        ),
        migrations.CreateModel(
            name="Cosignature",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cosigner", models.CharField(max_length=255, help_text="The name of the witness's key.")),
                (
                    "line",
                    models.CharField(max_length=500, help_text="The signature line of the note, line break included."),
                ),
                ("at", models.DateTimeField(help_text="When the witness saw the checkpoint, by its own clock.")),
                (
                    "head",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="cosignatures",
                        to="mcpbridge.signinghead",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(fields=("head", "cosigner"), name="one_cosignature_a_witness")
                ],
            },
        ),
    ]
