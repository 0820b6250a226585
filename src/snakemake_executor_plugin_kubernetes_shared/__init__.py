"""Snakemake's executor for Kubernetes, with nodes that share the project's folder.

The plugin `kubernetes` supposes that pods share nothing: sources are packed and unpacked in each,
and all files come from an object store under other names. A job here is a command that runs in the
project's folder, on one machine as on Slurm; so that folder lies on a volume that every pod mounts
at the same path, and jobs are submitted as the plugin does it, but for that.
"""

import shlex
from dataclasses import dataclass, field
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import CommonSettings

from regen.image import DIGEST, VARIABLE

common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_envvar_declarations_to_cmd=False,  # they go as secrets
    auto_deploy_default_storage_provider=False,
    init_seconds_before_status_checks=10,
)

try:
    import snakemake_executor_plugin_kubernetes as kubernetes
except ModuleNotFoundError:  # Snakemake loads every plugin that it finds, used or not
    from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
    from snakemake_interface_executor_plugins.settings import ExecutorSettingsBase

    @dataclass
    class ExecutorSettings(ExecutorSettingsBase):
        """What profiles/kubernetes sets, so that it can be read."""

        namespace: str = field(default="default", metadata={"help": "of the jobs"})
        persistent_volumes: list[str] = field(
            default_factory=list, metadata={"help": "<claim>:<path>", "nargs": "+"}
        )

    class Executor(RemoteExecutor):
        def __init__(self, *_: Any) -> None:
            raise WorkflowError(
                "the executor kubernetes-shared wants the client of Kubernetes; "
                "pip install -c constraints.txt -e '.[kubernetes]'"
            )

        def run_job(self, job: Any) -> None: ...

        def check_active_jobs(self, active_jobs: Any) -> Any: ...

        def cancel_jobs(self, active_jobs: Any) -> None: ...

else:

    @dataclass
    class ExecutorSettings(kubernetes.ExecutorSettings):  # type: ignore[no-redef]
        pass

    class Executor(kubernetes.Executor):  # type: ignore[no-redef]
        def get_job_exec_prefix(self, job: Any) -> str:
            """Pods start in an empty folder of their own, and cannot see which image they are."""
            go = f"cd {shlex.quote(self.workflow.workdir_init)}"
            named = DIGEST.search(self.workflow.remote_execution_settings.container_image)
            return f"{go} && export {VARIABLE}={named[1]}" if named else go
