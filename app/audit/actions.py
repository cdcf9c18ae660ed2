"""Every action that the log knows: a stable key, what it is about, and the sentence that people read."""

from dataclasses import dataclass

from app.errors import N_

ADDED = N_("%(who)s added %(what)s.")
CREATED = N_("%(who)s created %(what)s.")
CHANGED = N_("%(who)s changed %(what)s.")
DELETED = N_("%(who)s deleted %(what)s.")
RESTORED = N_("%(who)s brought back %(what)s.")
ARCHIVED = N_("%(who)s archived %(what)s.")
UNARCHIVED = N_("%(who)s unarchived %(what)s.")
STOPPED = N_("%(who)s stopped %(what)s.")
STARTED = N_("%(who)s started %(what)s.")
ORDERED = N_("%(who)s requested %(what)s.")
INCLUDED = N_("%(who)s included %(what)s in training.")
LEFT_OUT = N_("%(who)s excluded %(what)s from training.")
MARKED = N_("%(who)s marked %(what)s as favourite.")
UNMARKED = N_("%(who)s removed %(what)s from favourites.")
FAVOURITE = N_("%(who)s marked or unmarked %(what)s as favourite.")
REVIEWED = N_("%(who)s reviewed %(what)s.")
ERASED = N_("%(who)s permanently erased %(what)s.")

GROUPS = {
    "people": N_("People and access"),
    "brands": N_("Brands"),
    "pictures": N_("Pictures"),
    "texts": N_("Texts"),
    "trainings": N_("Trainings"),
    "adapters": N_("Adapters"),
    "results": N_("Visuals and generated texts"),
    "base_models": N_("Base models"),
    "operation": N_("Operations"),
}


@dataclass(frozen=True)
class Action:
    group: str
    kind: str
    sentence: str
    """With ``who`` and ``what``."""
    is_of_installation: bool = False
    """It concerns a person alone, or everybody: it goes into the installation's chain."""


ACTIONS = {
    # People and access
    "installation.set_up": Action("people", "installation", N_("%(who)s set up %(what)s."), True),
    "session.opened": Action("people", "session", N_("%(who)s signed in."), True),
    "session.closed": Action("people", "session", N_("%(who)s signed out."), True),
    "session.ended": Action("people", "session", N_("%(who)s signed out another browser."), True),
    "session.others_ended": Action("people", "session", N_("%(who)s signed out all other browsers."), True),
    "session.switched": Action("people", "session", N_("%(who)s switched to another workspace."), True),
    "person.changed": Action("people", "person", N_("%(who)s changed their own account."), True),
    "person.password_changed": Action("people", "person", N_("%(who)s changed their password."), True),
    "person.password_reset": Action("people", "person", N_("%(who)s set a new password with a link."), True),
    "person.rescued": Action("people", "person", N_("%(who)s created a password reset link for %(what)s."), True),
    "person.erased": Action("people", "person", ERASED, True),
    "member.joined": Action("people", "member", N_("%(who)s joined the workspace.")),
    "member.role_changed": Action("people", "member", N_("%(who)s changed the role of %(what)s.")),
    "member.removed": Action("people", "member", N_("%(who)s removed %(what)s from the workspace.")),
    "member.left": Action("people", "member", N_("%(who)s left the workspace.")),
    "member.second_factor_removed": Action("people", "member", N_("%(who)s removed the second factor of %(what)s.")),
    "authenticator.added": Action("people", "authenticator", N_("%(who)s set up an authenticator app."), True),
    "authenticator.removed": Action("people", "authenticator", N_("%(who)s removed their authenticator app."), True),
    "recovery_codes.created": Action("people", "recovery_code", N_("%(who)s created new recovery codes."), True),
    "passkey.added": Action("people", "passkey", N_("%(who)s set up %(what)s."), True),
    "passkey.removed": Action("people", "passkey", N_("%(who)s removed %(what)s."), True),
    "invitation.created": Action("people", "invitation", CREATED),
    "invitation.withdrawn": Action("people", "invitation", N_("%(who)s withdrew %(what)s.")),
    "reset_link.created": Action("people", "reset_link", N_("%(who)s created a password reset link for %(what)s.")),
    "workspace.created": Action("people", "workspace", CREATED),
    "workspace.changed": Action("people", "workspace", CHANGED),
    "token.created": Action("people", "token", CREATED),
    "token.revoked": Action("people", "token", N_("%(who)s revoked %(what)s.")),
    "hub_token.kept": Action("people", "hub_token", N_("%(who)s stored %(what)s.")),
    "hub_token.forgotten": Action("people", "hub_token", DELETED),
    "channel.added": Action("people", "channel", ADDED),
    "channel.removed": Action("people", "channel", N_("%(who)s removed %(what)s.")),
    "channel.put_back": Action("people", "channel", RESTORED),
    # Brands
    "project.created": Action("brands", "project", CREATED),
    "project.changed": Action("brands", "project", CHANGED),
    "project.archived": Action("brands", "project", ARCHIVED),
    "project.unarchived": Action("brands", "project", UNARCHIVED),
    "project.deleted": Action("brands", "project", DELETED),
    "project.erased": Action("brands", "project", ERASED, True),
    "text_rules.changed": Action("brands", "rules", CHANGED),
    "kit.changed": Action("brands", "kit", CHANGED),
    "kit.logo_added": Action("brands", "kit", N_("%(who)s added a logo to %(what)s.")),
    "kit.logo_removed": Action("brands", "kit", N_("%(who)s removed a logo from %(what)s.")),
    "kit.font_added": Action("brands", "kit", N_("%(who)s added fonts to %(what)s.")),
    "kit.font_removed": Action("brands", "kit", N_("%(who)s removed a font from %(what)s.")),
    "kit.restored": Action("brands", "kit", N_("%(who)s went back to an earlier version of %(what)s.")),
    "kit.put_back": Action("brands", "kit", N_("%(who)s put back what was removed from %(what)s.")),
    "guideline.added": Action("brands", "guideline", ADDED),
    "guideline.taken_over": Action("brands", "guideline", N_("%(who)s took over proposals from %(what)s.")),
    "guideline.dismissed": Action("brands", "guideline", N_("%(who)s dismissed the proposals from %(what)s.")),
    # Pictures
    "image.added": Action("pictures", "image", ADDED),
    "image.changed": Action("pictures", "image", CHANGED),
    "image.included": Action("pictures", "image", INCLUDED),
    "image.left_out": Action("pictures", "image", LEFT_OUT),
    "image.deleted": Action("pictures", "image", DELETED),
    "image.restored": Action("pictures", "image", RESTORED),
    "image.cropped": Action("pictures", "image", N_("%(who)s set the crop of %(what)s.")),
    "caption.changed": Action("pictures", "caption", CHANGED),
    # Texts
    "import.added": Action("texts", "import", N_("%(who)s uploaded %(what)s.")),
    "import.discarded": Action("texts", "import", N_("%(who)s discarded %(what)s.")),
    "text.added": Action("texts", "text", ADDED),
    "text.changed": Action("texts", "text", CHANGED),
    "text.included": Action("texts", "text", INCLUDED),
    "text.left_out": Action("texts", "text", LEFT_OUT),
    "text.personal_data": Action("texts", "text", N_("%(who)s decided on personal data in %(what)s.")),
    "text.deleted": Action("texts", "text", DELETED),
    "text.restored": Action("texts", "text", RESTORED),
    "line.decided": Action("texts", "line", N_("%(who)s decided on %(what)s.")),
    # Trainings
    "training.started": Action("trainings", "training", STARTED),
    "training.cancelled": Action("trainings", "training", STOPPED),
    "voice_training.started": Action("trainings", "training", STARTED),
    "voice_training.cancelled": Action("trainings", "training", STOPPED),
    # Adapters
    "adapter.changed": Action("adapters", "adapter", CHANGED),
    "adapter.published": Action(
        "adapters", "adapter", N_("%(who)s requested the publication of %(what)s on the model hub.")
    ),
    "adapter.archived": Action("adapters", "adapter", ARCHIVED),
    "adapter.unarchived": Action("adapters", "adapter", UNARCHIVED),
    "adapter.deleted": Action("adapters", "adapter", DELETED),
    "adapter.imported": Action("adapters", "adapter", N_("%(who)s imported %(what)s.")),
    "adapter_file.added": Action("adapters", "adapter_file", N_("%(who)s uploaded %(what)s.")),
    "adapter_file.fetched": Action("adapters", "adapter_file", N_("%(who)s requested the import of %(what)s.")),
    "adapter_file.deleted": Action("adapters", "adapter_file", DELETED),
    "merged_file.ordered": Action("adapters", "merged_file", ORDERED),
    "merged_file.deleted": Action("adapters", "merged_file", DELETED),
    # Visuals and written texts
    "start_picture.added": Action("results", "start_picture", ADDED),
    "generation.ordered": Action("results", "generation", ORDERED),
    "generation.cancelled": Action("results", "generation", STOPPED),
    "output.changed": Action("results", "output", CHANGED),
    "output.favourite": Action("results", "output", FAVOURITE),
    "output.marked": Action("results", "output", MARKED),
    "output.unmarked": Action("results", "output", UNMARKED),
    "output.reviewed": Action("results", "output", REVIEWED),
    "output.approved": Action("results", "output", N_("%(who)s approved %(what)s.")),
    "output.rejected": Action("results", "output", N_("%(who)s rejected %(what)s.")),
    "output.reopened": Action("results", "output", N_("%(who)s sent %(what)s back to review.")),
    "output.kept": Action("results", "output", N_("%(who)s kept %(what)s in the gallery.")),
    "output.undone": Action("results", "output", N_("%(who)s undid a change to %(what)s.")),
    "output.tagged": Action("results", "output", N_("%(who)s changed the tags of %(what)s.")),
    "output.sorted": Action("results", "output", N_("%(who)s organised %(what)s.")),
    "output.deleted": Action("results", "output", DELETED),
    "output.restored": Action("results", "output", RESTORED),
    "campaign.created": Action("results", "campaign", CREATED),
    "campaign.renamed": Action("results", "campaign", N_("%(who)s renamed %(what)s.")),
    "campaign.made": Action("results", "campaign", N_("%(who)s had the ads of %(what)s made.")),
    "campaign.changed": Action("results", "campaign", CHANGED),
    "campaign.undone": Action("results", "campaign", N_("%(who)s undid a change to %(what)s.")),
    "cell.changed": Action("results", "cell", CHANGED),
    "cell.put_back": Action("results", "cell", RESTORED),
    "cell.decided": Action("results", "cell", REVIEWED),
    "campaign.briefed": Action("results", "campaign", N_("%(who)s changed the brief of %(what)s.")),
    "campaign.worded": Action("results", "campaign", N_("%(who)s changed the words of %(what)s.")),
    "campaign.pictured": Action("results", "campaign", N_("%(who)s requested pictures for %(what)s.")),
    "campaign.copied": Action("results", "campaign", N_("%(who)s copied %(what)s.")),
    "campaign.deleted": Action("results", "campaign", DELETED),
    "writing.ordered": Action("results", "writing", ORDERED),
    "writing.cancelled": Action("results", "writing", STOPPED),
    "variant.changed": Action("results", "variant", CHANGED),
    "variant.favourite": Action("results", "variant", FAVOURITE),
    "variant.reviewed": Action("results", "variant", REVIEWED),
    "vote.cast": Action("results", "vote", N_("%(who)s voted on %(what)s.")),
    # Base models
    "base_model.added": Action("base_models", "base_model", ADDED),
    "base_model.changed": Action("base_models", "base_model", CHANGED),
    "base_model.put_away": Action("base_models", "base_model", N_("%(who)s hid %(what)s.")),
    "base_model.taken_back": Action("base_models", "base_model", RESTORED),
    "base_model.fetched": Action("base_models", "base_model", N_("%(who)s requested the files of %(what)s.")),
    "base_model.fetch_cancelled": Action("base_models", "base_model", N_("%(who)s stopped the download of %(what)s.")),
    "base_model.files_removed": Action("base_models", "base_model", N_("%(who)s removed the files of %(what)s.")),
    # Operation
    "job.cancelled": Action("operation", "job", STOPPED),
    "job.requeued": Action("operation", "job", N_("%(who)s put %(what)s back into the queue.")),
    "worker.drained": Action("operation", "worker", N_("%(who)s set %(what)s to finish and take no more jobs."), True),
    "worker.resumed": Action("operation", "worker", N_("%(who)s set %(what)s to take jobs again."), True),
    "backup.made": Action("operation", "backup", N_("%(who)s made %(what)s."), True),
    "backup.restored": Action("operation", "backup", N_("%(who)s restored %(what)s."), True),
}
"""By key. Keys are for programs and stay as they are; a key that is not used any more stays for the old events."""
