"""What can go wrong when somebody judges, in sentences."""

from app.errors import N_, Conflict, Forbidden, Invalid


class OwnWork(Forbidden):
    sentence = N_("Members cannot approve their own work in this workspace. Ask someone else to approve it.")


class ReasonMissing(Invalid):
    field = "reason"
    sentence = N_("Please say in a few words why you reject this.")


class TooLateToUndo(Conflict):
    sentence = N_("This can no longer be undone.")


class NotApproved(Forbidden):
    sentence = N_(
        "This has not been approved, and viewers can only download what is approved. Ask an editor to review it."
    )


class SomeNotApproved(Forbidden):
    """Params: count, all."""

    sentence = N_(
        "%(count)s of these %(all)s are not approved, and viewers can only download what is approved. Choose approved "
        "ones only, or ask an editor to review the others."
    )
