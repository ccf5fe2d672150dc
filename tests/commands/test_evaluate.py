"""`rapport evaluate` on tables as other people write them."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from commands.evaluate import evaluate
from commands.evaluate_attributes import features_of
from commands.evaluate_input import Columns, Left, read_takings, table_of, takings_of
from commands.evaluate_table import TableUnusable
from commands.evaluate_times import moment_like
from commands.evaluate_wide import first_had, read_wide, wide_of
from recommender.interactions import interactions

MARCH_3 = 1_741_003_200_000
"""2025-03-03 12:00 UTC."""
SVG = "http://www.w3.org/2000/svg"
HEADERS = [
    ("user_id,item_id,timestamp", 1),
    ("CustomerID,StockCode,InvoiceDate,Quantity,UnitPrice", 1),
    ("household_key,product_id,day", 1),
    ("userId,movieId,rating,timestamp", 1),
    ("customer,service,date,qty", 1),
    ("person;product;date", 1),
    ("client_id\tproduct_code\tpurchase_date", 1),
    ("Customer Key|Product Key|Order Date|Order Quantity", 1),
    ("order_id,customer_id,product_category,created_at", 1),
    ("CUSTOMER_ID,PRODUCT_ID,ORDER_DATE", 1),
    ("reviewerID,asin,overall,unixReviewTime", 1),
    ("rating,user_id,parent_asin,timestamp", 1),
]


def run(*words: object) -> Result:
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, [str(word) for word in words])


def found(*words: object) -> dict[str, Any]:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def written(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def purchases(folder: Path, *, times: bool = True, people: int = 90) -> Path:
    """Three kinds of people who take services of their kind, some of them again."""
    chance = random.Random(2)
    lines = []
    for person in range(people):
        for _ in range(8):
            service = f"s{person % 3}-{chance.randrange(4)}"
            date = f",2025-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}" if times else ""
            lines.append(f"p{person:03d},{service}{date}")
    return written(folder, "purchases.csv", "person,service" + (",date" if times else ""), *lines)


@pytest.mark.parametrize("header", [header for header, _ in HEADERS])
def test_columns_are_found_by_the_names_they_have(header: str, tmp_path: Path) -> None:
    delimiter = next(sign for sign in ";\t|," if sign in header)
    names = header.split(delimiter)
    cells = {
        "unixReviewTime": "1741003200",
        "qty": "2",
        "Quantity": "2",
        "Order Quantity": "2",
        "rating": "4",
        "UnitPrice": "9.5",
        "day": "17",
    }
    row = delimiter.join(
        cells.get(name, "2025-03-03" if "date" in name.lower() or "at" in name[-2:] else "17") for name in names
    )
    takings = takings_of(table_of(written(tmp_path, "t.csv", header, row, row)), Columns())

    told = [names[place].lower() for place in (takings.person, takings.item)]
    assert any(word in told[0] for word in ("user", "customer", "household", "person", "client", "reviewer"))
    assert any(word in told[1] for word in ("item", "stock", "product", "movie", "service", "asin"))
    assert (takings.time is None) == (
        "timestamp" not in header
        and "Time" not in header
        and "date" not in header.lower()
        and "day" not in header
        and "created" not in header
    )
    assert (takings.quantity is not None) == ("quantity" in header.lower() or "qty" in header)


def test_columns_can_be_named_and_numbered(tmp_path: Path) -> None:
    named = written(tmp_path, "n.csv", "who,what,when", "a,x,2025-03-03", "b,y,2025-03-04")
    bare = written(tmp_path, "b.csv", "a\tx\t5\t881250949", "b\ty\t3\t881250950")

    rows = list(read_takings(takings_of(table_of(named), Columns(person="who", item="what", time="when")), Left()))
    assert [(row[0], row[1]) for row in rows] == [("a", "x"), ("b", "y")]
    numbered = Columns(person="1", item="2", time="4")
    rows = list(read_takings(takings_of(table_of(bare, numbered), numbered), Left()))
    assert rows == [("a", "x", 881_250_949_000, 1.0), ("b", "y", 881_250_950_000, 1.0)]


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("196\t242\t3\t881250949", 881_250_949_000),
        ("196::242::3::881250949", 881_250_949_000),
        ("A1YJEY40YUW4SE,7806397051,1.0,1391040000", 1_391_040_000_000),
        ("17850;85123;6", 0),
    ],
)
def test_a_file_without_a_header_is_person_item_and_perhaps_a_moment_at_the_end(
    line: str, time: int, tmp_path: Path
) -> None:
    table = table_of(written(tmp_path, "bare", line, line))
    sign = next(sign for sign in ("::", "\t", ",", ";") if sign in line)

    assert not table.has_header
    rows = list(read_takings(takings_of(table, Columns()), Left()))
    assert rows == [(*line.split(sign)[:2], time, 1.0)] * 2


@pytest.mark.thorough
def test_a_column_for_each_service_is_ownership_and_the_other_columns_tell_of_people(tmp_path: Path) -> None:
    lines = [f"C{n:03d},{'MF'[n % 2]},{n % 2},{(n + 1) % 2},{int(n % 3 > 0)},0" for n in range(90)]
    path = written(tmp_path, "wide.csv", "ID,sex,P5DA,RIBP,8NN1,7POT", *lines)
    answer, shown = found(path), run(path).stdout

    assert (answer["people"], answer["items"], answer["rows"]) == (90, 3, 150)
    assert "person from 'ID', services from 'P5DA' to '7POT', 1 more columns tell of people" in shown
    assert "segment_popularity" in answer["tasks"]["new"]["parts"]


def test_month_after_month_of_ownership_a_service_is_taken_when_it_is_first_had(tmp_path: Path) -> None:
    #   b is had from the second month on, given up in the fourth and had again in the fifth
    months = ["1,0,1", "1,1,1", "1,1,1", "1,0,1", "1,1,1"]
    lines = [f"2015-{n + 1:02d}-28,15889,{had}" for n, had in enumerate(months)]
    table = table_of(written(tmp_path, "months.csv", "fecha_dato,ncodpers,ind_a,ind_b,ind_c", *lines))
    wide = wide_of(table, Columns(item="ind_*"))

    assert wide is not None
    taken = first_had(interactions(read_wide(wide, Left(), {})))
    told = [
        (taken.items[item], (at - taken.at[0]) // 86_400_000) for item, at in zip(taken.item, taken.at, strict=True)
    ]
    assert told == [("ind_a", 0), ("ind_c", 0), ("ind_b", 31)]


@pytest.mark.thorough
def test_who_may_have_what_can_be_told_beside_a_column_for_each_service(tmp_path: Path) -> None:
    lines = [f"C{n:03d},{n % 2},{(n + 1) % 2},{int(n % 3 > 0)},{int(n % 5 > 1)}" for n in range(90)]
    path = written(tmp_path, "wide.csv", "ID,ind_a,ind_b,ind_c,ind_d", *lines)
    pairs = [f"C{n:03d},ind_{each}" for n in range(90) for each in "cd"]
    may = written(tmp_path, "may.csv", "person,service", *pairs)
    free, limited = (found(path, "--item", "ind_*", *more)["tasks"]["new"] for more in ([], ["--eligible", may]))

    popular = [answer["parts"]["popularity"]["ndcg_at_10"]["mean"] for answer in (free, limited)]
    assert popular[1] > popular[0] + 0.05


def test_takings_beside_columns_of_yes_and_no_are_no_ownership(tmp_path: Path) -> None:
    table = table_of(written(tmp_path, "t.csv", "user,product,gift,new,first", *["a,tea,0,1,0", "b,tie,1,0,1"] * 4))

    assert wide_of(table, Columns()) is None


def test_numbers_of_a_persons_own_orders_tell_which_came_last(tmp_path: Path) -> None:
    lines = [f"{n * 10 + k},{n},{k},{(n + k) % 5}" for n in range(60) for k in range(1, 7)]
    answer = found(written(tmp_path, "orders.csv", "order_id,user_id,order_number,product_id", *lines))

    assert answer["split"] == "each person's last"


def test_the_page_shows_every_part_and_loads_nothing(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = run(purchases(tmp_path), "--report", page)
    html = page.read_text()

    assert result.exit_code == 0, result.output
    assert all(f">{said}<" in html for said in ("popularity", "item_knn", "served"))
    assert html.count("<svg") == 2
    assert not [sign for sign in ("http:", "https:", "src=", "<script") if sign in html.replace(SVG, "")]


@pytest.mark.parametrize(
    "text",
    [
        "2025-03-03T12:00:00Z",
        "2025-03-03 12:00:00",
        "2025-03-03T13:00:00+01:00",
        "1741003200",
        "1741003200000",
        "1741003200000000",
        "1741003200.0",
        "3.3.2025 12:00",
        "03/03/2025 12:00:00",
        "03/03/2025 12:00:00 PM",
        "2025/03/03 12:00",
        "2025-03-03 12:00:00 UTC",
        "Mon, 03 Mar 2025 12:00:00 +0000",
        "03-Mar-2025 12:00",
        "March 3, 2025 12:00 PM",
        "03.03.25 12:00",
    ],
)
def test_times_are_read_however_they_are_written(text: str) -> None:
    way = moment_like([text])

    assert way is not None
    assert way(text) == MARCH_3


def test_days_are_told_from_months_by_the_whole_column() -> None:
    way = moment_like(["03/04/2025", "12/31/2025", "05/01/2025"])

    assert way is not None
    assert way("03/04/2025") - way("03/03/2025") == 86_400_000
    assert moment_like(["20250303"]) is not None
    assert moment_like(["soon", "later"]) is None


@pytest.mark.parametrize("text", ["2025-03", "202503", "2025/03"])
def test_a_month_is_its_first_day(text: str) -> None:
    way = moment_like([text])

    assert way is not None
    assert way(text) == MARCH_3 - 2 * 86_400_000 - 43_200_000


@pytest.mark.parametrize(
    "text",
    [
        b"sep=,\nperson,item\na,x\nb,y\n",
        b"\n\nperson,item\na,x\nb,y\n",
        b"person,item\na,x\n,,\n\nb,y\n",
        b"person,item\na,x,\nb,y,\n",
        b'"person", "item"\n"a", "x"\n"b", "y"\n',
        "person,item\na,x\nb,y\n".encode("utf-16"),
        b"person,item\na,x\nNULL,x\nnan,x\nb,y\na,NaN\n" + b"a,x\nb,y\n" * 60,
    ],
)
def test_what_programs_write_around_a_table_is_no_part_of_it(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text)

    assert {row[:2] for row in read_takings(takings_of(table_of(path), Columns()), Left())} == {("a", "x"), ("b", "y")}


def test_names_that_are_no_utf_8_stay_different_names(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("person,item\na,thé\na,thè\n".encode("latin-1"))

    assert [row[1] for row in read_takings(takings_of(table_of(path), Columns()), Left())] == ["thé", "thè"]


def test_a_first_line_with_a_moment_is_no_header(tmp_path: Path) -> None:
    table = table_of(written(tmp_path, "t.csv", "ann,tea,2025-03-03T12:00:00", "bob,tie,2025-03-04T12:00:00"))

    assert not table.has_header
    assert next(row[:3] for row in read_takings(takings_of(table, Columns()), Left())) == ("ann", "tea", MARCH_3)


def test_a_column_of_times_in_which_nothing_stands_tells_no_time(tmp_path: Path) -> None:
    table = table_of(written(tmp_path, "t.csv", "person,item,date", "a,x,", "b,y,"))

    assert takings_of(table, Columns()).time is None
    with pytest.raises(TableUnusable, match="nothing stands in the column 'date'"):
        takings_of(table, Columns(time="date"))


def test_bad_rows_are_counted_and_told_by_line(tmp_path: Path) -> None:
    good = [f"p{n},s{n % 3},2025-01-{n % 28 + 1:02d},1" for n in range(200)]
    path = written(
        tmp_path,
        "t.csv",
        "person,item,date,quantity",
        *good,
        ",s1,2025-01-01,1",
        "p1,s1,never,1",
        "p1,s1",
        "p2,s1,2025-01-01,-1",
    )
    left = Left()
    rows = list(read_takings(takings_of(table_of(path), Columns()), left))

    assert len(rows) == 200
    assert left.reasons.total() == 4
    assert {line for line, *_ in left.lines} == {202, 203, 204, 205}


def test_too_many_bad_rows_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "person,item,date", *["a,x,2025-01-01"] * 20, *[",x,2025-01-01"] * 5)

    with pytest.raises(TableUnusable, match=r"5 of 25 rows are bad.*line 22"):
        list(read_takings(takings_of(table_of(path), Columns()), Left()))


def test_a_bad_row_is_told_with_what_stands_there(tmp_path: Path) -> None:
    soon = written(tmp_path, "soon.csv", "person,item,date", "a,x,2025-01-01", "a,x,2025-01-02", "a,x,soon")
    quote = written(tmp_path, "quote.csv", "person,item,date", *["a,x,2025-01-01", 'a,"x,2025-01-01', "a,x,2025-01-01"])

    with pytest.raises(TableUnusable, match="line 4: the time cannot be read: 'soon'"):
        list(read_takings(takings_of(table_of(soon), Columns()), Left()))
    with pytest.raises(TableUnusable, match="line 3: 2 columns where there are 3, as a quotation mark is not closed"):
        list(read_takings(takings_of(table_of(quote), Columns()), Left()))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "is empty"),
        (["alpha,beta", "1,2"], "no column of persons"),
        (["person,beta", "1,2"], "no column of items"),
        (["person,item,date", "1,2,soon", "1,3,later"], "cannot be read"),
        (["person,item", "1,2"], "nothing to rank"),
        (["person,item,date"], "no rows below its header"),
        (["person,item", f"1,{'x' * 200_000}"], "line 2: field larger than field limit"),
        (["PK\3\4"], "is a zip archive or a workbook: write it as CSV"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_a_sentence(lines: list[str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("".join(f"{line}\n" for line in lines))
    result = run(path)

    assert result.exit_code != 0
    assert isinstance(result.exception, TableUnusable)
    assert said in str(result.exception)


def test_a_file_that_is_missing_or_cut_short_is_refused_in_a_sentence(tmp_path: Path) -> None:
    whole = gzip.compress(b"person,item\n" + b"a,x\n" * 10_000)
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])

    for name in ("cut.csv.gz", "missing.csv"):
        result = run(tmp_path / name)
        assert isinstance(result.exception, TableUnusable)
        assert name in str(result.exception)


@pytest.mark.parametrize(
    ("option", "lines", "said"),
    [
        (
            "--attributes",
            ["person,plan", "1,gold"],
            "none of the people in the table: it has '1', the table has 'p000'",
        ),
        ("--services", ["service,kind", "tea,leaf"], "none of the services in the table: it has 'tea'"),
        ("--eligible", ["person,service", "p000,tea"], "none of the services in the table: it has 'tea'"),
        ("--eligible", ["person,service"], "has no rows"),
    ],
)
def test_a_file_about_others_than_the_table_is_refused(
    option: str, lines: list[str], said: str, tmp_path: Path
) -> None:
    result = run(purchases(tmp_path), option, written(tmp_path, "other.csv", *lines))

    assert isinstance(result.exception, TableUnusable)
    assert said in str(result.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--test-from", "2030-01-01"], "nothing is left to choose by: the table is of 2025-01-01 to"),
        (["--test-from", "2020-01-01"], "nothing is left to fit by"),
        (["--validate-from", "2025-06-01"], "--validate-from needs --test-from"),
        (["--report", "nowhere/page.html"], "nowhere is no folder"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_anything_is_fitted(
    words: list[str], said: str, tmp_path: Path
) -> None:
    result = run(purchases(tmp_path), *words)

    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


def test_a_moment_to_judge_from_needs_times(tmp_path: Path) -> None:
    result = run(purchases(tmp_path, times=False), "--test-from", "2025-06-01")

    assert result.exit_code == 2
    assert "needs times" in result.output


def test_both_tasks_are_judged_and_nothing_served_is_worse_than_the_best_part(tmp_path: Path) -> None:
    answer = found(purchases(tmp_path))

    assert set(answer["tasks"]) == {"repeat", "new"}
    for task in answer["tasks"].values():
        best = max(part["ndcg_at_10"]["mean"] for part in task["parts"].values())
        assert task["served"]["ndcg_at_10"]["mean"] >= best - 1e-6
        assert task["served"]["hit_rate_at_3"]["mean"] > 0.5


@pytest.mark.thorough
def test_the_same_table_gives_the_same_answer_in_any_order_of_its_rows(tmp_path: Path) -> None:
    path = purchases(tmp_path, people=60)
    header, *lines = path.read_text().splitlines()
    again = written(tmp_path, "again.csv", header, *random.Random(1).sample(lines, len(lines)))

    assert found(path) == found(again)


@pytest.mark.thorough
def test_ownership_without_times_is_judged_by_what_is_held_back(tmp_path: Path) -> None:
    #   plan decides which two services somebody owns; who owns one of them lacks the other
    lines = [f"p{n:03d},s{n % 4}{part}" for n in range(240) for part in "ab"]
    owned = written(tmp_path, "owned.csv", "customer,product", *lines)
    plans = written(
        tmp_path, "plans.csv", "customer,plan,age", *(f"p{n:03d},{n % 4},{20 + n % 50}" for n in range(240))
    )
    answer = found(owned, "--attributes", plans)

    assert "one item held back" in answer["split"]
    assert set(answer["tasks"]) == {"new"}
    assert answer["tasks"]["new"]["served"]["ndcg_at_10"]["mean"] > 0.95


@pytest.mark.thorough
def test_nobody_is_asked_about_what_they_may_not_have(tmp_path: Path) -> None:
    path = purchases(tmp_path)
    pairs = [f"p{n:03d},s{n % 3}-{k}" for n in range(90) for k in range(4)]
    free, limited = found(path), found(path, "--eligible", written(tmp_path, "may.csv", "person,service", *pairs))

    def popular(answer: dict[str, Any]) -> float:
        return float(answer["tasks"]["new"]["parts"]["popularity"]["ndcg_at_10"]["mean"])

    assert popular(limited) > popular(free) + 0.2


def test_people_are_told_what_was_found_and_why(tmp_path: Path) -> None:
    plans = written(tmp_path, "plans.csv", "person,plan", *(f"p{n:03d},{n % 2}" for n in range(30, 120)))
    result = run(purchases(tmp_path), "--test-from", "2025-10-01", "--attributes", plans)

    assert result.exit_code == 0, result.output
    for said in (
        "plans.csv tells of 60 of 90 people",
        "719 rows of 120 people and 12 services",
        "Anything, repeats allowed",
        "served",
        "popularity",
        "segment",
    ):
        assert said in result.stdout


def test_numbers_become_quantiles_and_rare_words_become_others() -> None:
    made = features_of(
        {
            f"p{n:03d}": {
                "age": str(n),
                "plan": "gold" if n % 2 else "plain",
                "town": f"t{n}",
                "note": "" if n else "rare",
            }
            for n in range(100)
        }
    )

    assert made["p000"]["age=1 of 10"] == made["p099"]["age=10 of 10"] == 1.0
    assert len({name for own in made.values() for name in own if name.startswith("age=")}) == 10
    assert "plan=gold" in made["p001"]
    assert not [name for own in made.values() for name in own if name.startswith("town=")]
