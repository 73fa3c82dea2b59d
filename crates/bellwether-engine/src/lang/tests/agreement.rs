//! That expressions mean what they mean in MiniJinja, whose syntax and values they have.

use super::*;

#[test]
fn minijinja_agrees_on_what_both_understand() {
    let environment = minijinja::Environment::new();
    let context =
        json!({ "a": 1, "b": 2.5, "s": "text", "l": [1, 2, 3], "m": { "k": "v" }, "t": true });
    let data = value_of(&context);
    let scope = ["a", "b", "s", "l", "m", "t"]
        .iter()
        .fold(scope_of(&[]), |scope, name| {
            scope.with(name, data.get_attr(name).unwrap())
        });
    let sources = [
        "a + 2 * 3",
        "a - 2 - 3",
        "2 * (a + 3) % 4",
        "b * 2 + a",
        "-a + 3",
        "'x' ~ a ~ 'y'",
        "a ~ b + 1 if false else 's'",
        "not t",
        "not a == 2",
        "a < 2 and b > 2",
        "a > 2 or s",
        "t and s",
        "a in l",
        "5 not in l",
        "'ex' in s",
        "'k' in m",
        "m.k",
        "m['k']",
        "l[0] + l[-1]",
        "s | upper",
        "s | replace('ex', 'as')",
        "s | upper | lower ~ 'z'",
        "l | first",
        "l | join('+')",
        "s if a == 1 else 'n'",
        "'n' if a == 2 else s if t else 'm'",
        "a == 1 and not s == 'x' or t",
        "missing | default('d')",
        "[a, b, s][1]",
        "7 / 2",
        "s is defined",
        "missing is not defined",
    ];
    for source in sources {
        let theirs = environment.compile_expression(source).unwrap().eval(&data);
        let ours = scope.eval(&Expr::parse(source).unwrap());
        assert_eq!(
            ours.unwrap().to_string(),
            theirs.unwrap().to_string(),
            "{source}"
        );
    }
}
