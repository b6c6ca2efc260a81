"""An area of the console that is not one model's list: pages of its own under one address."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from allauth.account.decorators import reauthentication_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern

from hoursmith_console.workspaces.viewer import ConsoleRequest

if TYPE_CHECKING:
    from hoursmith_console.core.site import ConsoleSite


class Area:
    """Says its `area` (the address), `title` and `place` in the menu, and has an address named `list`.

    Its templates are in `folder`, where that is not called like the area.
    """

    area: ClassVar[str]
    title: ClassVar[str]
    place: ClassVar[int]
    is_for_reviewers: ClassVar[bool] = False
    folder: ClassVar[str] = ""

    def __init__(self, site: "ConsoleSite") -> None:
        self.admin_site = site

    def get_urls(self) -> list[URLPattern]:
        """The addresses below the area's own."""
        raise NotImplementedError

    def page(self, request: ConsoleRequest, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        """One page of the area; pages other than the list lead back to it."""
        base = {"area_title": self.title, "area_address": f"console:{self.area}:list", "title": self.title}
        return TemplateResponse(
            request,
            f"{self.folder or self.area}/{template}",
            {**self.admin_site.each_context(request), **base, **context},
            status=status,
        )


def deciding(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """`view` for those who decide for the workspace and have just shown that it is they; 403 for everybody else."""
    fresh = reauthentication_required(view)

    def guarded(request: ConsoleRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Before anything is asked of them: who may not is told so at once.
        if not request.viewer.member.administers:
            raise PermissionDenied
        answer: HttpResponse = fresh(request, *args, **kwargs)
        return answer

    return guarded
