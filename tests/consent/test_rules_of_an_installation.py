"""An installation's own matrix and notices are what its door goes by."""

from pathlib import Path

import pytest

from commands.settings import Settings
from consent.matrix import DEFAULT_MATRIX
from consent.notices import DEFAULT_NOTICES
from consent.versioned_data import DataInvalid


def test_the_settings_name_the_matrix_and_the_notices(tmp_path: Path) -> None:
    own = tmp_path / "notices.yaml"
    shipped = DEFAULT_NOTICES.read_text(encoding="utf-8")
    own.write_text(shipped.replace("id: profile", "id: our-profile"), encoding="utf-8")

    rules = Settings(notices=own).rules()

    assert rules.notices.find("our-profile", 1) is not None
    assert rules.notices.find("profile", 1) is None
    assert rules.matrix.versions == Settings(matrix=DEFAULT_MATRIX).rules().matrix.versions


@pytest.mark.parametrize("setting", ["matrix", "notices"])
def test_a_file_that_is_none_is_named(setting: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("a: [", encoding="utf-8")

    with pytest.raises(DataInvalid, match=r"broken\.yaml"):
        Settings.model_validate({setting: path}).rules()
