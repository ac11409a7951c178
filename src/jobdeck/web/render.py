"""Templates into pages and parts of pages; addresses are made here, relative to the base path."""

import hashlib
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.runtime import Context
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.params import SkipValidation
from markupsafe import Markup

from jobdeck.domain import clock
from jobdeck.domain.roles import Role
from jobdeck.http.auth import Asker
from jobdeck.http.state import Deck
from jobdeck.web import assets, cells, formats, status
from jobdeck.web.drawings import Drawings
from jobdeck.web.places import Place

TEMPLATES = Path(__file__).parent / "templates"
T = TypeVar("T")
AnyRequest = Request[Any, Any, Any]

IN_PLACE = Markup(
    "hx-boost:inherited=\"select:#main, target:#main, swap:'outerMorph show:none'\""
    ' hx-sync:inherited="#main:replace"'
)
"""For what leads to the same page with other conditions: only what differs changes. Of several
requests the last one counts, whatever is answered first."""


IN_DIALOG = Markup(
    'hx-target:inherited="#dialog-body" hx-swap:inherited="innerHTML" '
    'hx-sync:inherited="#dialog-body:replace"'
)
"""For what holds many deeds, each of which opens its dialog."""


class _Context(Context):
    """Calls what a template names as it is. Jinja looks first, at each of the many calls of a
    page, whether a function asks for the context; none of ours does."""

    def call(
        self,
        function: Callable[..., T],
        /,
        *args: Any,
        _loop_vars: object = None,
        _block_vars: object = None,
        **more: Any,
    ) -> T:
        return function(*args, **more)


class _Templates(Environment):
    context_class = _Context


class Pages:
    """The templates of one deck."""

    def __init__(self, deck: Deck, places: Sequence[Place] = ()) -> None:
        self.deck = deck
        self.places = places
        self.drawings = Drawings()
        self._remembered: dict[str, tuple[float, Any]] = {}
        self.notice_cookie = f"{deck.cookie}_notice"
        self.watch_cookie = f"{deck.cookie}_watch"
        self.places = places
        self.templates = _Templates(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters.update(
            number=formats.number,
            size=formats.size,
            duration=formats.duration,
            percent=formats.percent,
            exact=formats.exact,
            iso=clock.to_iso,
            pretty=formats.pretty,
            inline=formats.inline,
            combined=lambda pairs, **more: {**pairs, **more},
        )
        icon = cache(self.icon)
        row = cells.Cells(icon)
        self.templates.globals.update(
            url=self.url,
            asset=self.asset,
            icon=icon,
            state=row.state,
            time=cells.time,
            lasting=cells.lasting,
            pick=cells.pick,
            trend=cells.trend,
            points=cells.points,
            point_rows=cells.point_rows,
            opener=row.opener,
            icon_opener=row.icon_opener,
            choice=row.choice,
            plural=formats.plural,
            badge=status.badge,
            summary=status.summary,
            digest=lambda text: hashlib.sha256(text.encode()).hexdigest()[:8],
            in_place=IN_PLACE,
            in_dialog=IN_DIALOG,
            places=places,
            watch_cookie=self.watch_cookie,
            statuses=status.ORDER,
            Role=Role,
            base_path=deck.base_path,
            store_name=deck.name or deck.store.name,
            store_address=shlex.quote(deck.store.name),
        )

    def remembered(self, name: str, seconds: float, read: Callable[[], T]) -> T:
        """What `read` found at most so many seconds ago, for what takes long to find."""
        known = self._remembered.get(name)
        if known is None or time.monotonic() - known[0] > seconds:
            known = self._remembered[name] = (time.monotonic(), read())
        found: T = known[1]
        return found

    def forget(self, name: str) -> None:
        """Find it anew the next time: it has changed."""
        self._remembered.pop(name, None)

    def url(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """The address of a page, with those parts of the query that are not empty."""
        pairs = [
            (key, item)
            for key, value in (query or {}).items()
            for item in (value if isinstance(value, list | tuple) else [value])
            if item not in ("", None)
        ]
        address = self.deck.address(path)
        return f"{address}?{urlencode(pairs)}" if pairs else address

    def asset(self, name: str) -> str:
        """The address of a file under `static`; it changes with the file's content."""
        return f"{self.deck.address('/static/')}{name}?v={assets.digest(name)}"

    def icon(self, name: str, css: str = "") -> Markup:
        """A picture that says nothing to screen readers: the word stands beside it."""
        return Markup('<svg class="glyph{}" aria-hidden="true"><use href="{}#{}"/></svg>').format(
            f" {css}" if css else "", self.asset("icons.svg"), name
        )

    def html(self, template: str, **values: Any) -> str:
        """A part of a page."""
        return self.templates.get_template(template).render(values)

    def page(
        self,
        request: AnyRequest,
        template: str,
        *,
        status_code: int = 200,
        headers: dict[str, str] | None = None,
        **values: Any,
    ) -> Response[str]:
        """A whole page, for the one who asked, with the notice that the last one left."""
        asker: Asker | None = request.scope.get("auth")
        notice = unquote(request.cookies.get(self.notice_cookie, ""))
        body = self.html(
            template,
            actor=asker.actor if asker else None,
            csrf=asker.csrf if asker else "",
            notice=notice,
            path=request.scope["path"].removeprefix(self.deck.base_path) or "/",
            **values,
        )
        response = Response(
            body, status_code=status_code, headers=headers, media_type=MediaType.HTML
        )
        if notice:
            response.delete_cookie(self.notice_cookie, path=self.deck.base_path or "/")
        return response


AtPages = NamedDependency[SkipValidation[Pages]]
"""Annotates the handler's parameter `pages`."""


def is_part(request: AnyRequest) -> bool:
    """Whether htmx asks for a part; a whole page otherwise, also when it restores history."""
    headers = request.headers
    return "hx-request" in headers and headers.get("hx-request-type") != "full"
