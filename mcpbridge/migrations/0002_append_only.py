"""Lets the database itself refuse to change the record, by whatever way somebody tries."""

from django.db import migrations

EVENTS = "mcpbridge_auditevent"
HEADS = "mcpbridge_signinghead"
CUTS = "mcpbridge_auditcut"
KEYS = "mcpbridge_signingkey"
REFUSAL = "the audit record is append-only"
# Rows may go only below a cut, whose signed stub must be there first.
BELOW_A_CUT = f"EXISTS (SELECT 1 FROM {CUTS} c WHERE c.org_id = OLD.org_id AND c.sequence >= OLD.sequence)"
# REPLACE removes the row in its way without firing the triggers on DELETE, so it is stopped where it begins.
TAKEN = {
    EVENTS: (
        f"EXISTS (SELECT 1 FROM {EVENTS} e WHERE e.id = NEW.id)"
        f" OR EXISTS (SELECT 1 FROM {EVENTS} e WHERE e.org_id = NEW.org_id AND e.sequence = NEW.sequence)"
        f" OR EXISTS (SELECT 1 FROM {EVENTS} e WHERE e.call_id = NEW.call_id AND e.phase = NEW.phase)"
    ),
    HEADS: f"EXISTS (SELECT 1 FROM {HEADS} h WHERE h.id = NEW.id)",
    CUTS: (
        f"EXISTS (SELECT 1 FROM {CUTS} c WHERE c.id = NEW.id)"
        f" OR EXISTS (SELECT 1 FROM {CUTS} c WHERE c.org_id = NEW.org_id AND c.sequence = NEW.sequence)"
    ),
    KEYS: f"EXISTS (SELECT 1 FROM {KEYS} k WHERE k.id = NEW.id OR k.key_id = NEW.key_id)",
}
MAY_GO = {EVENTS: BELOW_A_CUT, HEADS: BELOW_A_CUT}


def sqlite_triggers(table):
    raising = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    may_go = f"WHEN NOT {MAY_GO[table]}" if table in MAY_GO else ""
    yield f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {raising}"
    yield f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {may_go} {raising}"
    yield f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {TAKEN[table]} {raising}"


def postgresql_triggers(table):
    may_go = "WHEN (NOT mcpbridge_below_a_cut(OLD.org_id, OLD.sequence))" if table in MAY_GO else ""
    refuse = "EXECUTE FUNCTION mcpbridge_append_only()"
    yield f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW {refuse}"
    yield f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW {may_go} {refuse}"
    yield f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {refuse}"


POSTGRESQL_FUNCTIONS = (
    "CREATE FUNCTION mcpbridge_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$",
    "CREATE FUNCTION mcpbridge_below_a_cut(org text, place bigint) RETURNS boolean LANGUAGE sql STABLE AS "
    f"$$ SELECT EXISTS (SELECT 1 FROM {CUTS} c WHERE c.org_id = org AND c.sequence >= place) $$",
)


def forwards(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    statements = list(POSTGRESQL_FUNCTIONS) if vendor == "postgresql" else []
    triggers = postgresql_triggers if vendor == "postgresql" else sqlite_triggers
    for table in TAKEN:
        statements += triggers(table)
    for statement in statements:
        schema_editor.execute(statement)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION mcpbridge_append_only() CASCADE")
        schema_editor.execute("DROP FUNCTION mcpbridge_below_a_cut(text, bigint) CASCADE")
        return
    for table in TAKEN:
        for ending in ("no_update", "no_delete", "no_replace"):
            schema_editor.execute(f"DROP TRIGGER {table}_{ending}")


class Migration(migrations.Migration):
    dependencies = [("mcpbridge", "0001_initial")]

    operations = [migrations.RunPython(forwards, backwards)]
