"""The policy document: its defaults, what is wrong in one by field and line, its selectors."""

import json
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from janitor.domain.durations import duration_text, hours_text
from janitor.domain.errors import PolicyError
from janitor.domain.model import Mode, Stack
from janitor.domain.planning.policy_preview import why_nothing_goes
from janitor.domain.policy.loader import parse_policy, read_document
from janitor.domain.policy.model import Policy, Rule, default_policy
from janitor.domain.policy.selector import Selector
from janitor.domain.policy.window import Window

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RULE = "rules:\n- name: a\n  select: {tag: x}\n"


def a_stack(name: str = "feat", **tags: str) -> Stack:
    """Make a stack with tags."""
    return Stack("arn:1", name, "eu-central-1", "CREATE_COMPLETE", NOON, tags=tags)


def problems(text: str) -> list[str]:
    """Return what is wrong with a document, a line each; nothing if it is a policy."""
    try:
        parse_policy(text, "policy.yaml")
    except PolicyError as error:
        return str(error).split("\n")
    return []


# Defaults.


def test_an_empty_document_is_the_default_policy() -> None:
    """Nothing need be written to start."""
    assert parse_policy("", "policy.yaml") == default_policy() == parse_policy("{}", "p")
    assert parse_policy("# later\n", "policy.yaml") == default_policy()


def test_the_default_policy_is_what_the_readme_promises() -> None:
    """Observe; 48 h and 24 h ahead; 24 h grace; 30 days; weekdays nine to five in UTC."""
    policy = default_policy()
    (rule,) = policy.rules
    assert policy.mode is Mode.OBSERVE
    assert policy.regions == ()
    assert policy.never_delete == ()
    assert rule.name == "default"
    assert rule.ttl is None
    assert rule.ttl_from == "created"
    assert rule.owner_tags == ("janitor:owner", "owner", "Owner")
    assert rule.stages == ((timedelta(hours=24), "24h"), (timedelta(hours=48), "48h"))
    assert rule.grace == timedelta(hours=24)
    assert rule.max_lifetime == timedelta(days=30)
    assert rule.allow_never is False
    assert rule.tagging == "on"
    assert rule.adoption == timedelta(days=3)
    assert policy.limits.max_deleting is None
    window = policy.window.window
    assert window == Window(frozenset({0, 1, 2, 3, 4}), time(9), time(17), window.zone)
    assert window.zone.key == "UTC"


@pytest.mark.parametrize(
    "tags, is_managed",
    [
        ({"janitor:ttl": "3d"}, True),
        ({"janitor:expires": "2026-06-01"}, True),
        ({"janitor:ttl": ""}, True),
        ({"janitor:owner": "a@b.c"}, False),
        ({"Janitor:TTL": "3d"}, False),
        ({}, False),
    ],
)
def test_the_default_policy_manages_whoever_has_a_lifetime_tag(
    tags: dict[str, str], is_managed: bool
) -> None:
    """And nobody else, so that a first run can harm nothing."""
    stack = Stack("arn:1", "feat", "eu-central-1", "CREATE_COMPLETE", NOON, tags=tags)
    assert (default_policy().rule_for(stack) is not None) is is_managed


# Wrong documents, each with its exact lines.

WRONG = {
    # values
    "mode: offf": ["1: mode: 'offf': input should be 'off', 'observe', 'notify' or 'enforce'"],
    "mode: false": ["1: mode: False: input should be 'off', 'observe', 'notify' or 'enforce'"],
    "mode: 12:30": ["1: mode: '12:30': input should be 'off', 'observe', 'notify' or 'enforce'"],
    "\nmode:": ["2: mode: input should be 'off', 'observe', 'notify' or 'enforce'"],
    RULE + "  ttl: 3x": [
        "4: rules[0].ttl: '3x': the unit is not m, h, d or w; for instance 90m, 36h, 3d or 2w"
    ],
    RULE + "  ttl: 3": ["4: rules[0].ttl: 3 is not a duration; for instance 90m, 36h, 3d or 2w"],
    RULE + "  ttl: ''": ["4: rules[0].ttl: is empty; for instance 90m, 36h, 3d or 2w"],
    RULE + "  ttl: 0d": ["4: rules[0].ttl: must be longer than zero; for instance 24h"],
    RULE + "  ttl: never": [
        "4: rules[0].ttl: 'never' is not a duration; for instance 90m, 36h, 3d or 2w"
    ],
    RULE + "  ttl: -1d": [
        "4: rules[0].ttl: '-1d' is not a duration; for instance 90m, 36h, 3d or 2w"
    ],
    RULE + "  max_lifetime: 12M": [
        (
            "4: rules[0].max_lifetime: '12M': M could be minutes or months;"
            " for instance 90m, 36h, 3d or 2w"
        )
    ],
    RULE + "  ttl_from: deployed": [
        "4: rules[0].ttl_from: 'deployed': input should be 'created' or 'updated'"
    ],
    RULE + "  max_extensions: -1": [
        "4: rules[0].max_extensions: -1: input should be greater than or equal to 0"
    ],
    RULE + "  tagging: false": ["4: rules[0].tagging: False: input should be 'on' or 'off'"],
    RULE + "  reminders:\n  - 48h\n  - 0h": [
        "6: rules[0].reminders[1]: must be longer than zero; for instance 24h"
    ],
    RULE + "  reminders: 48h": ["4: rules[0].reminders: '48h' is not a list; for instance [a, b]"],
    "limits:\n  max_deleting: -1": [
        "2: limits.max_deleting: -1: input should be greater than or equal to 0"
    ],
    "limits:\n  max_deleting: 1.5": [
        (
            "2: limits.max_deleting: 1.5: input should be a valid integer,"
            " got a number with a fractional part"
        )
    ],
    "limits: {max_deleting: unlimited}": [
        (
            "1: limits.max_deleting: 'unlimited': input should be a valid integer, unable to parse"
            " string as an integer"
        )
    ],
    "limits: {max_attempts: 0}": [
        "1: limits.max_attempts: 0: input should be greater than or equal to 1"
    ],
    "regions: eu-central-1": ["1: regions: 'eu-central-1' is not a list; for instance [a, b]"],
    "never_delete: [1]": ["1: never_delete[0]: 1: input should be a valid string"],
    # window
    "window:\n  days: []": ["2: window.days: must list at least one"],
    "window:\n  days: [mon, monday]": [
        (
            "2: window.days[1]: 'monday': input should be"
            " 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'"
        )
    ],
    "window: {days: [Friday]}": [
        (
            "1: window.days[0]: 'Friday': input should be"
            " 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'"
        )
    ],
    "window:\n  hours: 10:00-10:00": [
        (
            "2: window.hours: '10:00-10:00': must be a span, for instance 10:00-16:00,"
            " or 00:00-24:00 for the whole day"
        )
    ],
    "window:\n  hours: 00:00 - 00:00": [
        (
            "2: window.hours: '00:00 - 00:00': must be a span, for instance 10:00-16:00,"
            " or 00:00-24:00 for the whole day"
        )
    ],
    "window:\n  days: [mon]\n  hours: 9-17": [
        "3: window.hours: '9-17': write for instance 09:00-17:00"
    ],
    "window:\n  hours: 09:00": ["2: window.hours: '09:00': write for instance 09:00-17:00"],
    "window:\n  hours: 09:00-25:00": [
        "2: window.hours: '09:00-25:00': write for instance 09:00-17:00"
    ],
    "window:\n  hours: 09:00-17:00-18:00": [
        "2: window.hours: '09:00-17:00-18:00': write for instance 09:00-17:00"
    ],
    "window:\n  hours: 09:00Z-17:00Z": [
        "2: window.hours: '09:00Z-17:00Z': write for instance 09:00-17:00"
    ],
    "window:\n  zone: Mars/Olympus": [
        "2: window.zone: 'Mars/Olympus' is unknown; for instance Europe/Berlin"
    ],
    "window:\n  zone: ../../etc/passwd": [
        "2: window.zone: '../../etc/passwd' is unknown; for instance Europe/Berlin"
    ],
    "window: {zone: ''}": ["1: window.zone: '' is unknown; for instance Europe/Berlin"],
    # fields that do not exist
    "windows: {}": ["1: windows: no such field; did you mean window?"],
    "zzzzzz: 1": ["1: zzzzzz: no such field"],
    "tagging: off": ["1: tagging: no such field"],
    "limits:\n  max_deletings: 1": [
        "2: limits.max_deletings: no such field; did you mean max_deleting?"
    ],
    # of an earlier release: there is no breaker that counts what is due any more
    "limits:\n  breaker_floor: 5": ["2: limits.breaker_floor: no such field"],
    "limits:\n  max_deletes_per_sweep: 5": ["2: limits.max_deletes_per_sweep: no such field"],
    "window:\n  hour: 09:00-17:00": ["2: window.hour: no such field; did you mean hours?"],
    RULE + "  gracee: 1d": ["4: rules[0].gracee: no such field; did you mean grace?"],
    "rules:\n- name: a\n  select:\n    any:\n    - all:\n      - tagg: x": [
        "6: rules[0].select.any[0].all[0].tagg: no such field; did you mean tag?"
    ],
    "<<: {mode: off}": ["1: <<: no such field"],
    # rules and selectors
    "rules: []": ["1: rules: must list at least one"],
    "rules:": ["1: rules: None is not a list; for instance [a, b]"],
    "rules: {}": ["1: rules: {} is not a list; for instance [a, b]"],
    "rules:\n- 5": ["2: rules[0]: 5 is not a mapping of fields"],
    "rules:\n- name: a": ["2: rules[0].select: is required"],
    "rules:\n- select: {tag: x}": ["2: rules[0].name: is required"],
    "rules:\n- name: a\n  select: x": ["3: rules[0].select: 'x' is not a mapping of fields"],
    "rules:\n- name: a\n  select: {}": [
        "3: rules[0].select: needs exactly one of tag, name, any, all; for instance tag: env"
    ],
    "rules:\n- name: a\n  select: {tag: x, name: y}": [
        "3: rules[0].select: needs exactly one of tag, name, any, all; for instance tag: env"
    ],
    "rules:\n- name: a\n  select: {name: y, equals: z}": [
        "3: rules[0].select: equals goes with tag; for instance {tag: env, equals: dev}"
    ],
    "rules:\n- name: a\n  select: {any: []}": [
        "3: rules[0].select: any must list at least one condition"
    ],
    RULE + "- name: a\n  select: {tag: y}": [
        "1: rules: two rules are called 'a'; names tell them apart"
    ],
    # defaults: a fault in them is told once, where it stands
    "defaults:\n  grace: 3q\n" + RULE + "- name: b\n  select: {tag: y}": [
        "2: defaults.grace: '3q': the unit is not m, h, d or w; for instance 90m, 36h, 3d or 2w"
    ],
    "defaults:\n  ttll: 3d": ["2: defaults.ttll: no such field; did you mean ttl?"],
    "defaults: []": ["1: defaults: [] is not a mapping of fields"],
    "defaults:\n  grace: 3q\n" + RULE + "  grace: 4q": [
        "2: defaults.grace: '3q': the unit is not m, h, d or w; for instance 90m, 36h, 3d or 2w",
        "6: rules[0].grace: '4q': the unit is not m, h, d or w; for instance 90m, 36h, 3d or 2w",
    ],
    # several at once, each on its line
    "mode: on\nlimits:\n  max_deleting: x\nwindow:\n  zone: Moon": [
        "1: mode: 'on': input should be 'off', 'observe', 'notify' or 'enforce'",
        (
            "3: limits.max_deleting: 'x': input should be a valid integer, unable to parse string"
            " as an integer"
        ),
        "5: window.zone: 'Moon' is unknown; for instance Europe/Berlin",
    ],
    # written twice
    "mode: off\nmode: notify": ["2: mode: is written twice"],
    "limits:\n  max_deleting: 1\n  max_deleting: 2": ["3: max_deleting: is written twice"],
    # keys of tags
    "defaults: {ttl_tags: []}": ["1: defaults.ttl_tags: must list at least one"],
    "defaults: {ttl_tags: ttl}": [
        "1: defaults.ttl_tags: 'ttl' is not a list; for instance [a, b]",
    ],
    "defaults: {expires_tags: [' ']}": [
        "1: defaults.expires_tags[0]: ' ' is no key of a tag; for instance ttl"
    ],
    "defaults: {ttl_tags: [ttl, '']}": [
        "1: defaults.ttl_tags[1]: '' is no key of a tag; for instance ttl"
    ],
    "defaults: {protect_tags: ['AWS:x']}": [
        (
            "1: defaults.protect_tags[0]: 'AWS:x': keys that begin with aws: belong to AWS;"
            " for instance ttl"
        )
    ],
    f"defaults: {{ttl_tags: [{'x' * 129}]}}": [
        "1: defaults.ttl_tags[0]: a key has 128 letters at most; for instance ttl"
    ],
    "operators: {channel: CUSTOMERS}": [
        "1: operators.channel: 'CUSTOMERS' is no Slack channel; for instance #platform or C012AB3CD"
    ],
    "operators: {members: [U012AB3]}": [
        "1: operators.members[0]: 'U012AB3' is no id of a Slack user; for instance U012AB3CD"
    ],
    # JSON
    '{"rules":\n [{"name": "a", "select": {"tag": "x"},\n "ttl": "5y"}]}': [
        (
            "3: rules[0].ttl: '5y': months and years differ in length, write days;"
            " for instance 30d or P30D"
        )
    ],
    # not a mapping
    "- mode": ["1: must be a mapping of fields; for instance mode: observe"],
    "off": ["1: must be a mapping of fields; for instance mode: observe"],
    "5: x": ["1: [5]: 5: keys should be strings"],
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_told_by_field_and_line(text: str) -> None:
    """Every problem on a line of its own, and nothing that is no problem."""
    assert problems(text) == [f"policy.yaml:{line}" for line in WRONG[text]]


UNREADABLE = {
    "mode: [off": (1, "expected ',' or ']', but got '<stream end>'"),
    "'mode: off": (1, "found unexpected end of stream"),
    "a: 1\n\tmode: off": (2, "found character '\\t' that cannot start any token"),
    "mode: observe\n---\nmode: off": (2, "but found another document"),
    "mode: !!python/object:os.system x": (
        1,
        "could not determine a constructor for the tag 'tag:yaml.org,2002:python/object:os.system'",
    ),
    "? [a]\n: b": (1, "found unhashable key"),
    "limits: {max_deleting: " + "9" * 5000 + "}": (
        1,
        (
            "Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits;"
            " use sys.set_int_max_str_digits() to increase the limit"
        ),
    ),
    # aliases: recursion, and a billion laughs
    "mode: off\na: &a [*a]": (2, "write it out, aliases (*) are not read"),
    "rules: &r\n- *r": (2, "write it out, aliases (*) are not read"),
    "a: &a [x]\nb: *a": (2, "write it out, aliases (*) are not read"),
    # depth
    "[" * 3000: (1, "nested too deep"),
    "[" * 3000 + "]" * 3000: (1, "nested too deep"),
    '{"a":' * 3000: (1, "nested too deep"),
    "- " * 3000: (1, "nested too deep"),
    # characters that YAML does not have
    "\x00": (1, "the character U+0000 may not stand in it"),
    "mode: off\n\n\x07": (3, "the character U+0007 may not stand in it"),
    "mode: \ud800": (1, "the character U+D800 may not stand in it"),
    "mode: \ufffe": (1, "the character U+FFFE may not stand in it"),
}


@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: repr(text[:30]))
def test_what_is_not_yaml_is_told_in_one_line(text: str) -> None:
    """With the line it stands on, whatever it is."""
    line, why = UNREADABLE[text]
    assert problems(text) == [f"policy.yaml:{line}: not valid YAML or JSON: {why}"]


@pytest.mark.parametrize("text", ["a: !!bool maybe", "a: !!int ''", "a: !!timestamp x", "!!set 5"])
def test_a_tag_of_yaml_that_its_value_does_not_fit_is_one_line_too(text: str) -> None:
    """PyYAML answers these with errors that are not its own."""
    (line,) = problems(text)
    assert line.startswith("policy.yaml:1: ")


@given(st.text() | st.text(alphabet="[]{}:,-?&*!|>'\"%@`# \n\tab0.~"))
def test_any_text_is_a_policy_or_a_policy_error(text: str) -> None:
    """Each line of which begins with the place."""
    for line in problems(text):
        assert line.startswith("policy.yaml:")


@given(st.binary().map(lambda data: data.decode("latin-1")))
def test_any_bytes_are_a_policy_or_a_policy_error(text: str) -> None:
    """A person may name the wrong file."""
    for line in problems(text):
        assert line.startswith("policy.yaml:")


FIELDS = [*Policy.model_fields, *Rule.model_fields, "zone", "days", "hours", "max_deleting", "any"]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(FIELDS), values, max_size=4))
def test_any_value_in_any_field_is_a_policy_or_a_policy_error(data: dict[str, object]) -> None:
    """Through JSON, which YAML reads as well."""
    for line in problems(json.dumps(data)):
        assert line.startswith("policy.yaml:")


# YAML 1.1's traps, and JSON.


def test_off_and_on_are_words_and_not_booleans() -> None:
    """YAML 1.1 would read false, and `mode: off` would be a mistake."""
    assert parse_policy("mode: off", "p").mode is Mode.OFF
    assert parse_policy("defaults: {tagging: off}", "p").rules[0].tagging == "off"
    assert parse_policy("rules:\n- name: no\n  select: {tag: yes, equals: on}", "p").rules == (
        Rule(name="no", select=Selector(tag="yes", equals="on")),
    )


def test_times_of_day_are_text_and_not_numbers_to_the_base_of_sixty() -> None:
    """YAML 1.1 would read 12:30 as 750; and a date stays text."""
    window = parse_policy("window:\n  hours: 12:30-24:00", "p").window.window
    assert (window.start, window.end) == (time(12, 30), time(0))
    assert read_document("a: 12:30\nb: 2026-06-01\nc: 010\nd: 1_000", "p").data == {
        "a": "12:30",
        "b": "2026-06-01",
        "c": 10,
        "d": "1_000",
    }


def test_json_is_read_as_well() -> None:
    """A parameter is often written by a program."""
    text = '{"mode": "enforce", "limits": {"max_deleting": 0}, "regions": ["eu-central-1"]}'
    policy = parse_policy(text, "p")
    assert (policy.mode, policy.limits.max_deleting, policy.regions) == (
        Mode.ENFORCE,
        0,
        ("eu-central-1",),
    )


@pytest.mark.parametrize("hours", ["17:00-09:00", "00:00-24:00", " 09:00 - 17:00 ", "09:00-24:00"])
def test_hours_may_run_past_midnight_and_around_the_clock(hours: str) -> None:
    """And may have spaces."""
    assert problems(f"window: {{hours: '{hours}'}}") == []


# Rules.


def test_defaults_lie_under_every_rule_and_a_rule_has_the_last_word() -> None:
    """A null takes a default away."""
    policy = parse_policy(
        "defaults: {ttl: 5d, grace: 2h}\n"
        "rules:\n"
        "- {name: a, select: {tag: x}}\n"
        "- {name: b, select: {tag: y}, ttl: 1d}\n"
        "- {name: c, select: {tag: z}, ttl: null}\n",
        "p",
    )
    assert [rule.ttl for rule in policy.rules] == [timedelta(days=5), timedelta(days=1), None]
    assert {rule.grace for rule in policy.rules} == {timedelta(hours=2)}


def test_defaults_lie_under_the_built_in_rule_too() -> None:
    """A document may say no more than what is different."""
    (rule,) = parse_policy("defaults: {grace: 2h}", "p").rules
    assert (rule.name, rule.grace) == ("default", timedelta(hours=2))


def test_the_first_rule_that_matches_wins() -> None:
    """In the order of the document."""
    policy = parse_policy(
        "rules:\n- {name: a, select: {tag: x}}\n- {name: b, select: {name: '*'}}", "p"
    )
    rules = [policy.rule_for(a_stack(x="1")), policy.rule_for(a_stack())]
    assert [rule.name for rule in rules if rule] == ["a", "b"]


def test_a_rule_that_is_no_more_has_the_terms_of_the_defaults() -> None:
    """A lease remembers its rule by name."""
    policy = parse_policy("defaults: {grace: 2h}\n" + RULE + "  grace: 5h\n", "p")
    assert policy.terms("a").grace == timedelta(hours=5)
    assert policy.terms("b").grace == timedelta(hours=2)


@pytest.mark.parametrize(
    "selector, tags, name, matches",
    [
        ({"tag": "env"}, {"env": ""}, "s", True),
        ({"tag": "env"}, {"Env": "dev"}, "s", False),
        ({"tag": "env", "equals": "dev"}, {"env": "dev"}, "s", True),
        ({"tag": "env", "equals": "dev"}, {"env": "Dev"}, "s", False),
        ({"tag": "env", "equals": ""}, {"env": ""}, "s", True),
        ({"tag": "env", "equals": ""}, {}, "s", False),
        ({"name": "feat-*"}, {}, "feat-1", True),
        ({"name": "feat-*"}, {}, "Feat-1", False),
        ({"name": "feat-*"}, {}, "my-feat-1", False),
        ({"name": "feat-?"}, {}, "feat-10", False),
        ({"any": [{"tag": "a"}, {"tag": "b"}]}, {"b": ""}, "s", True),
        ({"any": [{"tag": "a"}, {"tag": "b"}]}, {"c": ""}, "s", False),
        ({"all": [{"tag": "a"}, {"tag": "b"}]}, {"a": "", "b": ""}, "s", True),
        ({"all": [{"tag": "a"}, {"tag": "b"}]}, {"a": ""}, "s", False),
        ({"all": [{"any": [{"tag": "a"}, {"tag": "b"}]}, {"name": "x*"}]}, {"b": ""}, "xy", True),
        ({"all": [{"any": [{"tag": "a"}, {"tag": "b"}]}, {"name": "x*"}]}, {"b": ""}, "y", False),
        ({"any": [{"all": [{"tag": "a"}, {"tag": "b"}]}, {"name": "x*"}]}, {"a": ""}, "xy", True),
        ({"any": [{"all": [{"tag": "a"}, {"tag": "b"}]}, {"name": "x*"}]}, {"a": ""}, "y", False),
    ],
)
def test_a_selector_matches_by_tag_value_or_name(
    selector: dict[str, object], tags: dict[str, str], name: str, matches: bool
) -> None:
    """Exactly as written: case counts, and a glob is about the whole name."""
    assert Selector.model_validate(selector).matches(a_stack(name, **tags)) is matches


@pytest.mark.parametrize(
    "name, pattern",
    [
        ("CDKToolkit", "*CDKToolkit*"),
        ("CDKToolkit-team-a", "*CDKToolkit*"),
        ("team-a-CDKToolkit", "*CDKToolkit*"),
        ("aws-sam-cli-managed-default", "aws-sam-cli-managed-*"),
        ("aws-sam-cli-managed-dev-pipeline-resources", "aws-sam-cli-managed-*"),
        ("StackSet-x-1", "StackSet-*"),
        ("SC-123-pp-abc", "SC-*"),
        ("AWSControlTowerBP", "AWSControlTower*"),
        ("awseb-e-1", "awseb-*"),
        ("prod-db", "prod-*"),
        ("feat", None),
        ("my-cdk-toolkit", None),
    ],
)
@pytest.mark.parametrize("globs", ["[prod-*]", "['prod-*', '!CDKToolkit', '']"])
def test_the_never_delete_list_grows_and_never_shrinks(
    name: str, pattern: str | None, globs: str
) -> None:
    """Whatever a document says, the built-in names stay on it."""
    policy = parse_policy(f"never_delete: {globs}", "p")
    assert policy.never_deletes(name) == pattern


@pytest.mark.parametrize(
    "reminders, stages",
    [("[24h, 2d]", ["24h", "48h"]), ("[90m]", ["90m"]), ("[]", []), ("[1d, 24h]", ["24h"])],
)
def test_reminders_are_stages_the_nearest_first(reminders: str, stages: list[str]) -> None:
    """Named by their hours, each once."""
    (rule,) = parse_policy(f"defaults: {{reminders: {reminders}}}", "p").rules
    assert [stage for _, stage in rule.stages] == stages


# The version.


def test_the_version_is_the_same_for_the_same_policy() -> None:
    """Comments, order and spelling are not what a policy says."""
    one = parse_policy("mode: notify\ndefaults: {grace: 24h}\n", "p").version
    other = parse_policy("# hello\ndefaults: {grace: 1d}\nmode: 'notify'\n", "q").version
    assert one == other
    assert default_policy().version == parse_policy("", "p").version
    assert len(one) == 12


def test_the_rule_of_an_unwritten_policy_selects_by_the_keys_that_are_read() -> None:
    """A stack that says how long it is needed is meant, under whichever of the keys.

    Fails if `_default_rule` takes the constants.
    """
    policy = parse_policy("defaults: {ttl_tags: [janitor:ttl, ttl], expires_tags: [until]}", "p")
    assert policy.rules[0].ttl_tags == ("janitor:ttl", "ttl")
    for key, is_meant in (("ttl", True), ("janitor:ttl", True), ("until", True), ("env", False)):
        assert (policy.rule_for(a_stack("feat", **{key: "72h"})) is not None) is is_meant
    assert policy.rule_for(a_stack("feat", **{"janitor:expires": "72h"})) is None
    usual = default_policy()
    assert usual.rules[0].protect_tags == ("janitor:protect", "DoNotDelete", "do-not-delete")
    assert usual.rule_for(a_stack("feat", **{"janitor:expires": "2026-06-01"}))
    assert usual.rule_for(a_stack("feat", ttl="3d")) is None


def test_policies_take_the_same_durations_as_tags() -> None:
    """And write them in the usual way."""
    terms = parse_policy("defaults: {ttl: 3 days, grace: PT36H, max_lifetime: P4W}", "p").defaults
    document = terms.model_dump(mode="json")
    assert (document["ttl"], document["grace"], document["max_lifetime"]) == ("3d", "36h", "28d")


def test_the_version_does_not_change_between_runs() -> None:
    """It stands in every event: a change of this line is a change for auditors."""
    assert default_policy().version == "e348fedba80f"


@pytest.mark.parametrize(
    "text",
    [
        "mode: enforce",
        "limits: {max_deleting: 51}",
        "limits: {max_deleting: 0}",
        "defaults: {adoption: 4d}",
        "window: {zone: Europe/Berlin}",
        "window: {hours: 09:00-17:01}",
        "never_delete: [x]",
        "defaults: {grace: 1441m}",
        "defaults: {reminders: [24h]}",
        "regions: [eu-west-1]",
        RULE,
    ],
)
def test_the_version_changes_with_what_the_policy_says(text: str) -> None:
    """Even by a minute."""
    assert parse_policy(text, "p").version != default_policy().version


def test_a_policy_cannot_be_changed_once_it_is_read() -> None:
    """A sweep decides by one policy from beginning to end."""
    with pytest.raises(ValidationError, match="frozen"):
        default_policy().mode = Mode.ENFORCE  # type: ignore[misc]


@pytest.mark.parametrize(
    "minutes, text, hours",
    [
        (0, "0h", "0h"),
        (90, "90m", "90m"),
        (60, "1h", "1h"),
        (1440, "1d", "24h"),
        (2160, "36h", "36h"),
    ],
)
def test_durations_are_written_back_as_people_write_them(
    minutes: int, text: str, hours: str
) -> None:
    """The largest unit that comes out even; reminders stay in hours."""
    assert duration_text(timedelta(minutes=minutes)) == text
    assert hours_text(timedelta(minutes=minutes)) == hours


# What it does to examples.


@pytest.mark.parametrize(
    "text, why",
    [
        ("mode: enforce", ""),
        ("mode: enforce\nlimits: {max_deleting: 1}", ""),
        ("", "its mode is observe (another one may be given where it runs)"),
        ("mode: notify", "its mode is notify (another one may be given where it runs)"),
        ("mode: off", "mode off stops every sweep"),
        ("mode: enforce\nlimits: {max_deleting: 0}", "limits.max_deleting is 0"),
        (
            "limits: {max_deleting: 0}",
            (
                "its mode is observe (another one may be given where it runs), and"
                " limits.max_deleting is 0"
            ),
        ),
    ],
)
def test_a_policy_under_which_nothing_is_deleted_is_told_to_be_one(text: str, why: str) -> None:
    """The examples' dates would be wrong without that.

    Fails if `why_nothing_goes` says nothing.
    """
    said = why_nothing_goes(parse_policy(text, "p"))
    assert said == (f"As it stands nothing is deleted: {why}." if why else "")
