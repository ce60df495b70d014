"""Alembic's entry: it runs on the connection that `upgrade` hands over, or draws up a new revision for one."""

from alembic import context

from sheepfold.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the transaction is the caller's
)
context.run_migrations()
