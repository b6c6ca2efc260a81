"""Restrict the evidence of rotations to the tokens that a member may see."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.progress.evidence import Evidence, TargetEvidence
from hoursmith_console.tokens.labels import visible_refs
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import TokenRef


def visible_evidence(
    viewer: Viewer, rotations: Iterable[Rotation], evidence: Mapping[int, Evidence]
) -> Mapping[int, Evidence]:
    """Return the evidence of each rotation, by primary key, without calls of tokens the viewer may not see.

    The progress of each assistant remains, because it belongs to the rotation. Takes two queries in all.
    """
    asked = list(rotations)
    wanted = [key for rotation in asked for key in (rotation.old_ref, rotation.new_ref) if key is not None]
    seen = visible_refs(viewer, wanted)
    return {rotation.pk: _restrict(evidence[rotation.pk], rotation, seen) for rotation in asked}


def _restrict(evidence: Evidence, rotation: Rotation, seen: set[TokenRef]) -> Evidence:
    shows_old, shows_new = rotation.old_ref in seen, rotation.new_ref in seen
    if shows_old and (shows_new or rotation.new_ref is None):
        return evidence
    targets = [_restrict_target(each, shows_old=shows_old, shows_new=shows_new) for each in evidence.targets]
    cut = replace(evidence, targets=targets, new_token=evidence.new_token if shows_new else None)
    return cut if shows_old else replace(cut, old_token=None, old_at=None, late_uses=(), uses=())


def _restrict_target(each: TargetEvidence, *, shows_old: bool, shows_new: bool) -> TargetEvidence:
    return replace(
        each,
        new=each.new if shows_new else None,
        old_at=each.old_at if shows_old else None,
        late_use=each.late_use if shows_old else None,
    )
