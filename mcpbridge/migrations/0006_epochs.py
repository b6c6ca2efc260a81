"""Add the statements with which logs continue in a new epoch; the database refuses to change or delete them."""

from django.db import migrations, models

TABLE = "mcpbridge_auditepoch"
REFUSAL = "the audit record is append-only"
TAKEN = (
    f"EXISTS (SELECT 1 FROM {TABLE} s WHERE s.id = NEW.id)"
    f" OR EXISTS (SELECT 1 FROM {TABLE} s WHERE s.org_id = NEW.org_id AND s.epoch = NEW.epoch)"
)


def triggers(vendor):
    if vendor == "postgresql":
        for name, event, each in (
            ("no_update", "UPDATE", "ROW"),
            ("no_delete", "DELETE", "ROW"),
            ("no_truncate", "TRUNCATE", "STATEMENT"),
        ):
            yield (
                f"CREATE TRIGGER {TABLE}_{name} BEFORE {event} ON {TABLE} FOR EACH {each}"
                " EXECUTE FUNCTION mcpbridge_append_only()"
            )
        return
    raising = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    yield f"CREATE TRIGGER {TABLE}_no_update BEFORE UPDATE ON {TABLE} {raising}"
    yield f"CREATE TRIGGER {TABLE}_no_delete BEFORE DELETE ON {TABLE} {raising}"
    yield f"CREATE TRIGGER {TABLE}_no_replace BEFORE INSERT ON {TABLE} WHEN {TAKEN} {raising}"


def forwards(apps, schema_editor):
    for statement in triggers(schema_editor.connection.vendor):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("mcpbridge", "0005_grants")]

    operations = [
        migrations.CreateModel(
            name="AuditEpoch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("org_id", models.CharField(max_length=64, verbose_name="workspace")),
                ("epoch", models.PositiveIntegerField(help_text="The epoch that begins, from 2.")),
                (
                    "kept",
                    models.PositiveBigIntegerField(help_text="The last row of the epochs before; 0 if none was kept."),
                ),
                (
                    "given_up",
                    models.PositiveBigIntegerField(help_text="The last row that was signed in the epoch before."),
                ),
                (
                    "message",
                    models.TextField(
                        help_text="RFC 8785, without a token: its reason was masked before it was signed."
                    ),
                ),
                ("key_id", models.CharField(max_length=16)),
                ("signature", models.CharField(help_text="Ed25519, base64.", max_length=88)),
            ],
            options={
                "ordering": ["id"],
                "constraints": [models.UniqueConstraint(fields=("org_id", "epoch"), name="one_statement_an_epoch")],
            },
        ),
        # The triggers go with the table.
        migrations.RunPython(forwards, migrations.RunPython.noop),
    ]
