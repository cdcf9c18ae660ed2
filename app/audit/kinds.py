"""What an event can be about: the table, what of its rows is told, and how the thing is called in a sentence.

Texts, captions, prompts, passwords and keys are never told: only that they changed.
"""

from dataclasses import dataclass

from app.errors import N_


@dataclass(frozen=True)
class Kind:
    """Tables and columns are named by strings: the log knows no other feature."""

    some: str
    """In a sentence, after the verb: “a picture”."""
    many: tuple[str, str]
    """Of a number: “%(num)s picture”, “%(num)s pictures”."""
    one: str = ""
    """With its name, where it has one: “the picture “%(label)s””."""
    table: str = ""
    parameters: tuple[str, ...] = ()
    """What an address calls its id."""
    label: str = ""
    """The column with its name."""
    label_table: str = ""
    """The table of that column, where it is another one that has the same id."""
    told: tuple[str, ...] = ()
    """Columns of which before and after are kept."""
    named: tuple[str, ...] = ()
    """Columns of which only is kept that they changed."""


def ngettext(one: str, many: str, _count: int = 2) -> tuple[str, str]:
    """Marks a pair of sentences for translation where it stands."""
    return one, many


KINDS = {
    "installation": Kind(
        N_("Livery"),
        ngettext("%(num)s installation", "%(num)s installations", 2),
        one=N_("Livery with the workspace “%(label)s”"),
        table="workspaces",
        label="name",
    ),
    "person": Kind(
        N_("an account"),
        ngettext("%(num)s account", "%(num)s accounts", 2),
        one=N_("the account of %(label)s"),
        table="users",
        label="name",
        told=("name", "locale", "theme"),
    ),
    "member": Kind(
        N_("a member"),
        ngettext("%(num)s member", "%(num)s members", 2),
        one=N_("the member %(label)s"),
        table="memberships",
        parameters=("user_id",),
        label="name",
        label_table="users",
        told=("role",),
    ),
    "session": Kind(
        N_("a browser"),
        ngettext("%(num)s browser", "%(num)s browsers", 2),
        table="browser_sessions",
        parameters=("session_id",),
    ),
    "invitation": Kind(
        N_("an invitation"),
        ngettext("%(num)s invitation", "%(num)s invitations", 2),
        one=N_("the invitation for %(label)s"),
        table="invitations",
        parameters=("invitation_id",),
        label="email",
        told=("role",),
    ),
    "token": Kind(
        N_("an API token"),
        ngettext("%(num)s API token", "%(num)s API tokens", 2),
        one=N_("the API token “%(label)s”"),
        table="api_tokens",
        parameters=("token_id",),
        label="name",
        told=("read_only",),
    ),
    "authenticator": Kind(
        N_("an authenticator app"),
        ngettext("%(num)s authenticator app", "%(num)s authenticator apps", 2),
        table="authenticators",
    ),
    "recovery_code": Kind(
        N_("a recovery code"),
        ngettext("%(num)s recovery code", "%(num)s recovery codes", 2),
        table="recovery_codes",
    ),
    "passkey": Kind(
        N_("a passkey"),
        ngettext("%(num)s passkey", "%(num)s passkeys", 2),
        one=N_("the passkey “%(label)s”"),
        table="passkeys",
        parameters=("passkey_id",),
        label="name",
    ),
    "reset_link": Kind(
        N_("a member"),
        ngettext("%(num)s member", "%(num)s members", 2),
        one=N_("the member %(label)s"),
        table="reset_links",
        parameters=("user_id",),
        label="name",
        label_table="users",
    ),
    "workspace": Kind(
        N_("the workspace"),
        ngettext("%(num)s workspace", "%(num)s workspaces", 2),
        one=N_("the workspace “%(label)s”"),
        table="workspaces",
        label="name",
        told=(
            "name",
            "price_per_hour",
            "currency",
            "requires_second_factor",
            "forbids_own_approval",
            "viewers_download_open",
        ),
    ),
    "project": Kind(
        N_("a brand"),
        ngettext("%(num)s brand", "%(num)s brands", 2),
        one=N_("the brand “%(label)s”"),
        table="projects",
        parameters=("project_id",),
        label="name",
        told=("name", "trigger_word", "palette"),
        named=("look_notes", "cover_id"),
    ),
    "image": Kind(
        N_("a picture"),
        ngettext("%(num)s picture", "%(num)s pictures", 2),
        one=N_("the picture “%(label)s”"),
        table="images",
        parameters=("image_id",),
        label="filename",
        told=("included", "focus_x", "focus_y"),
        named=("caption",),
    ),
    "kit": Kind(
        N_("a brand kit"),
        ngettext("%(num)s brand kit", "%(num)s brand kits", 2),
        one=N_("the brand kit of “%(label)s”"),
        table="brand_kits",
        parameters=("project_id",),
        label="name",
        label_table="projects",
        told=("number",),
    ),
    "guideline": Kind(
        N_("a brand guideline"),
        ngettext("%(num)s brand guideline", "%(num)s brand guidelines", 2),
        one=N_("the brand guideline “%(label)s”"),
        table="brand_guidelines",
        parameters=("guideline_id",),
        label="filename",
    ),
    "caption": Kind(
        N_("a caption"),
        ngettext("%(num)s caption", "%(num)s captions", 2),
        one=N_("the caption of “%(label)s”"),
        table="images",
        parameters=("image_id",),
        label="filename",
    ),
    "import": Kind(
        N_("texts"),
        ngettext("%(num)s file", "%(num)s files", 2),
        one=N_("the file “%(label)s”"),
        table="voice_imports",
        parameters=("import_id",),
        label="filename",
    ),
    "text": Kind(
        N_("a text"),
        ngettext("%(num)s text", "%(num)s texts", 2),
        table="text_samples",
        parameters=("text_id",),
        told=("channel", "language", "included", "personal_data"),
        named=("text", "title", "brief"),
    ),
    "line": Kind(
        N_("repeated lines"),
        ngettext("%(num)s repeated line", "%(num)s repeated lines", 2),
        table="boilerplate_lines",
    ),
    "base_model": Kind(
        N_("a base model"),
        ngettext("%(num)s base model", "%(num)s base models", 2),
        one=N_("the base model “%(label)s”"),
        table="base_models",
        parameters=("base_id", "key"),
        label="name",
        told=("name", "licence", "commercial", "languages"),
        named=("licence_sentence",),
    ),
    "hub_token": Kind(
        N_("the workspace’s token for the model hub"),
        ngettext("%(num)s model hub token", "%(num)s model hub tokens", 2),
        table="hub_tokens",
    ),
    "job": Kind(
        N_("a job"),
        ngettext("%(num)s job", "%(num)s jobs", 2),
        table="jobs",
        parameters=("job_id",),
    ),
    "worker": Kind(
        N_("a worker"),
        ngettext("%(num)s worker", "%(num)s workers", 2),
        one=N_("the worker %(label)s"),
        table="workers",
        parameters=("worker_id",),
        label="id",
    ),
    "adapter_file": Kind(
        N_("an adapter file"),
        ngettext("%(num)s adapter file", "%(num)s adapter files", 2),
        one=N_("the adapter file “%(label)s”"),
        table="brought_files",
        parameters=("file_id",),
        label="name",
    ),
    "adapter": Kind(
        N_("an adapter"),
        ngettext("%(num)s adapter", "%(num)s adapters", 2),
        one=N_("the adapter “%(label)s”"),
        table="adapters",
        parameters=("adapter_id", "voice_adapter_id"),
        label="name",
        told=("name", "trigger_word", "recommended_strength"),
        named=("note",),
    ),
    "merged_file": Kind(
        N_("a merged file"),
        ngettext("%(num)s merged file", "%(num)s merged files", 2),
        one=N_("the merged file “%(label)s”"),
        table="merged_files",
        label="form",
    ),
    "training": Kind(
        N_("a training"),
        ngettext("%(num)s training", "%(num)s trainings", 2),
        one=N_("a training of “%(label)s”"),
        table="trainings",
        parameters=("training_id", "voice_training_id"),
        label="base_model",
    ),
    "start_picture": Kind(
        N_("a start picture"),
        ngettext("%(num)s start picture", "%(num)s start pictures", 2),
        table="start_pictures",
    ),
    "generation": Kind(
        N_("visuals"),
        ngettext("%(num)s request for visuals", "%(num)s requests for visuals", 2),
        table="generations",
        parameters=("generation_id",),
    ),
    "writing": Kind(
        N_("texts in the brand’s voice"),
        ngettext("%(num)s request for texts", "%(num)s requests for texts", 2),
        table="writings",
        parameters=("writing_id",),
    ),
    "variant": Kind(
        N_("a generated text"),
        ngettext("%(num)s generated text", "%(num)s generated texts", 2),
        table="writing_variants",
        parameters=("variant_id",),
        told=("favourite", "review"),
        named=("edited",),
    ),
    "rules": Kind(
        N_("a brand’s text rules"),
        ngettext("%(num)s set of text rules", "%(num)s sets of text rules", 2),
        one=N_("the text rules of “%(label)s”"),
        table="text_rules",
        parameters=("project_id",),
        label="name",
        label_table="projects",
        named=("rules",),
    ),
    "vote": Kind(
        N_("a pair of texts"),
        ngettext("%(num)s pair of texts", "%(num)s pairs of texts", 2),
        table="blind_votes",
    ),
    "output": Kind(
        N_("a visual"),
        ngettext("%(num)s visual", "%(num)s visuals", 2),
        table="outputs",
        parameters=("output_id",),
        told=("favourite", "review", "in_gallery"),
        named=("campaign_id",),
    ),
    "campaign": Kind(
        N_("a campaign"),
        ngettext("%(num)s campaign", "%(num)s campaigns", 2),
        one=N_("the campaign “%(label)s”"),
        table="campaigns",
        parameters=("campaign_id",),
        label="name",
        told=("name",),
    ),
    "channel": Kind(
        N_("a channel"),
        ngettext("%(num)s channel", "%(num)s channels", 2),
        one=N_("the channel “%(label)s”"),
        table="own_channels",
        parameters=("channel_id",),
        label="name",
    ),
    "rendering": Kind(
        N_("a change to ads"),
        ngettext("%(num)s change to ads", "%(num)s changes to ads", 2),
        table="renderings",
        parameters=("rendering_id",),
    ),
    "cell": Kind(
        N_("an ad"),
        ngettext("%(num)s ad", "%(num)s ads", 2),
        table="cells",
        parameters=("cell_id",),
        told=("review",),
    ),
    "backup": Kind(
        N_("a backup"),
        ngettext("%(num)s backup", "%(num)s backups", 2),
        one=N_("the backup “%(label)s”"),
    ),
}

FIELDS = {
    "name": N_("Name"),
    "locale": N_("Language"),
    "theme": N_("Appearance"),
    "role": N_("Role"),
    "read_only": N_("Read only"),
    "price_per_hour": N_("Price per hour"),
    "currency": N_("Currency"),
    "requires_second_factor": N_("Second factor for everyone"),
    "forbids_own_approval": N_("Approval by someone else"),
    "viewers_download_open": N_("Viewers download everything"),
    "second_factor": N_("Second factor"),
    "trigger_word": N_("Trigger word"),
    "palette": N_("Colours"),
    "look_notes": N_("Notes"),
    "cover_id": N_("Cover"),
    "number": N_("Version"),
    "included": N_("Used for training"),
    "focus_x": N_("Crop, from the left"),
    "focus_y": N_("Crop, from the top"),
    "caption": N_("Caption"),
    "channel": N_("Channel"),
    "language": N_("Language"),
    "personal_data": N_("Personal data"),
    "text": N_("Text"),
    "title": N_("Title"),
    "brief": N_("Brief"),
    "licence": N_("Licence"),
    "commercial": N_("Commercial use"),
    "languages": N_("Languages"),
    "licence_sentence": N_("Licence terms"),
    "recommended_strength": N_("Recommended strength"),
    "note": N_("Note"),
    "favourite": N_("Favourite"),
    "review": N_("Verdict"),
    "in_gallery": N_("In the gallery"),
    "edited": N_("Text"),
    "rules": N_("Text rules"),
    "campaign_id": N_("Campaign"),
    "events": N_("Erased details"),
    "logs": N_("Log erased along with its workspace"),
    "workspace": N_("Workspace"),
}
"""How people call what changed."""
