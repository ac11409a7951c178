"""An operator at work: real jobs in real workers, freed, killed and drained from the pages."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from jobdeck.domain.states import Status
from jobdeck.store import jobs, pools
from jobdeck.store.database import Store
from tests.browser.conftest import TOKEN, Visit, live
from tests.browser.site import Site
from tests.integration.hands import Hands
from tests.integration.launched import Launched, environment, until

pytestmark = pytest.mark.needs("chromium")
