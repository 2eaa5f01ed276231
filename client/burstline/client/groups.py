"""Groups of commands that guess what a mistyped name meant."""

import click


class NearGroup(click.Group):
    """A group in which a near miss of a command's name gets a hint."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a subcommand; a near miss gets a hint."""
        import difflib

        name, names = args[0] if args else "", self.list_commands(ctx)
        near = difflib.get_close_matches(name, names, n=1)
        if name and not name.startswith("-") and name not in names and near:
            ctx.fail(f'No such command "{name}"; did you mean "{near[0]}"?')
        return super().resolve_command(ctx, args)
