"""How methods are called and ordered, variants and a user's own among them."""

from roftbench.report.format import method_name, method_order, methods


def test_a_variant_has_the_name_and_the_place_of_its_method() -> None:
    names = ["random_forest", "mine", "bss (code=f00)", "lp", "roftmol", "bss", "bss (code=abc)", "full_ft"]
    ordered = ["full_ft", "lp", "bss", "bss (code=abc)", "bss (code=f00)", "roftmol", "mine"]
    assert sorted(names, key=method_order) == [*ordered, "random_forest"]
    assert sorted(sorted(methods()), key=method_order) == methods()
    assert method_name("bss (code=abc)") == "BSS (code=abc)"
    assert [method_name(name) for name in ("roftmol", "mine (a=1)")] == ["ROFT-MOL", "mine (a=1)"]
