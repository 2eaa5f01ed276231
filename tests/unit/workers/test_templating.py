"""Templates are a small language: they fill in, compare, count and filter, and reach nothing else."""

import pytest
from burstline.workers.errors import CannotPrepare
from burstline.workers.requests.templating import Text, Values

OUTSIDE = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ lipsum.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ run.id.__class__.__base__ }}",
    "{{ '{0.__class__}'.format(n) }}",
    "{% include '/etc/passwd' %}",
    "{% import '/etc/passwd' as x %}",
    "{% extends '../../etc/passwd' %}",
    "{% set x = namespace(a=open) %}",
    "{{ config['/etc/passwd'] }}",
]
ENDLESS = [
    "{{ 9 ** 9 ** 9 }}",
    "{{ 'a' * 999999999 }}",
    "{{ [1] * 999999999 }}",
    "{{ '%999999999d' % n }}",
    "{{ x % n }}",
    "{{ 'a' | center(999999999) }}",
    "{{ 'a'.ljust(999999999) }}",
    "{{ range(99999) | list }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% set a = 'aaaaaaaa' %}{% set a = a ~ a %}{{ a }}",
    "{% for a in b %}{{ a }}{% endfor %}",
]


@pytest.mark.parametrize("source", [*OUTSIDE, *ENDLESS])
def test_a_template_reaches_no_file_nothing_of_python_and_no_gigabyte(source: str) -> None:
    values = Values({"x": "%999999999d", "config": {}, "b": [1]}, "r", 7)
    with pytest.raises(CannotPrepare, match="template") as refused:
        Text(source).render(values)
    assert "root" not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        ("{{ x | upper }}-{{ n % 4 }}-{{ n * 2 + 1 }}", "A1-3-15"),
        ("{% if n > 3 and x != 'b' %}big{% else %}small{% endif %}", "big"),
        ("{{ x[0] ~ run.id }}{{ y | default('none') | title }}", "arNone"),
        ("{{ 'even' if n is divisibleby(2) else 'odd' }}", "odd"),
    ],
)
def test_templates_may_compare_count_and_filter(source: str, filled: str) -> None:
    assert Text(source).render(Values({"x": "a1", "y": "none"}, "r", 7)) == filled
