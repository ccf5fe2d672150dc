"""Catalogues that were served, each in a file named by its hash, so that a past decision can be made again."""

import json
import re
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from events.durable_files import make_folder, replace_durably
from events.fact import describe
from recommender.canonical import canonical_json, content_hash
from recommender.catalogue import Catalogue, CatalogueInvalid

FOLDER: Final = "catalogues"
_HASH: Final = re.compile(r"[0-9a-f]{32}")


class CatalogueStore:
    """The folder `catalogues` beside the models."""

    def __init__(self, models: Path) -> None:
        self._folder = models / FOLDER

    def keep(self, catalogue: Catalogue) -> str:
        """Keep it, unless it stands there already; its hash. Blocks until it is on the disk."""
        path = self._path(catalogue.hash)
        if not path.is_file():
            make_folder(self._folder, root=self._folder.parent)
            replace_durably(path, canonical_json(catalogue.model_dump(mode="json")))
        return catalogue.hash

    def load(self, name: str) -> Catalogue:
        """The catalogue of that hash; CatalogueInvalid where it is not kept, or is not what it was."""
        if not _HASH.fullmatch(name):
            raise CatalogueInvalid(f"{name[:32]!r} is no catalogue's hash")
        try:
            raw = self._path(name).read_bytes()
        except FileNotFoundError:
            raise CatalogueInvalid(f"catalogue {name} is not kept") from None
        except OSError as error:
            raise CatalogueInvalid(f"catalogue {name} cannot be read: {error.strerror}") from error
        if content_hash(raw) != name:
            raise CatalogueInvalid(f"catalogue {name} was altered or cut short")
        try:
            return Catalogue.model_validate(json.loads(raw))
        except ValidationError as error:
            raise CatalogueInvalid(f"catalogue {name} is not one to this program: {describe(error)}") from None

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
