#!/bin/sh
# A Slurm of one machine, for tests: munge, slurmctld, slurmd and one GPU that is none.
#   tests/slurm/cluster.sh start [FOLDER]   (as root; apt-get install slurm-wlm munge)
#   tests/slurm/cluster.sh stop
# Slurm reads /etc/slurm and nothing else; a configuration that is not this script's is left alone.
# Written for containers: no systemd and no cgroups, so processes are found by their parents, and
# memory is held by slurmd, which looks once a second and kills what has too much.
set -eu
mark="# written by tests/slurm/cluster.sh"
conf=/etc/slurm

pid_of() { cat "$1" 2>/dev/null || true; }

stop() {
    grep -qsF "$mark" "$conf/slurm.conf" || { echo "no Slurm of this script's runs here"; return; }
    state=$(sed -n 's/^StateSaveLocation=\(.*\)\/controller$/\1/p' "$conf/slurm.conf")
    for daemon in slurmd slurmctld munged; do
        pid=$(pid_of "$state/$daemon.pid")
        [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    done
    rm -f "$conf/slurm.conf" "$conf/gres.conf"
}

start() {
    [ "$(id -u)" = 0 ] || { echo "error: only root can start Slurm" >&2; exit 2; }
    command -v slurmctld slurmd munged >/dev/null ||
        { echo "error: Slurm is missing; apt-get install slurm-wlm munge" >&2; exit 2; }
    if [ -e "$conf/slurm.conf" ] && ! grep -qF "$mark" "$conf/slurm.conf"; then
        echo "error: $conf/slurm.conf is another Slurm's; stop that and move it away" >&2
        exit 2
    fi
    state=${1:-$(mktemp -d)}
    mkdir -p "$state/controller" "$state/node" "$state/munge" "$conf"
    host=$(hostname -s)
    # A count without a file is refused for GPUs; any character device will do.
    [ -e "$state/gpu0" ] || mknod "$state/gpu0" c 1 3

    cat >"$conf/slurm.conf" <<END
$mark
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$state/munge/socket
CredType=cred/munge
StateSaveLocation=$state/controller
SlurmdSpoolDir=$state/node
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.pid
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/slurmd.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
ReturnToService=2
MinJobAge=3600
SchedulerParameters=sched_interval=2,bf_interval=2
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo) Gres=gpu:1
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
    printf '%s\nName=gpu File=%s\n' "$mark" "$state/gpu0" >"$conf/gres.conf"

    chmod 700 "$state/munge"
    [ -e "$state/munge/key" ] || (umask 077 && head -c 128 /dev/urandom >"$state/munge/key")
    chmod 755 "$state/munge"
    munged --force --key-file="$state/munge/key" --socket="$state/munge/socket" \
        --pid-file="$state/munged.pid" --log-file="$state/munged.log" --seed-file="$state/munge/seed"
    slurmctld
    slurmd
    for _ in $(seq 30); do
        if [ "$(sinfo -h -o %T 2>/dev/null)" = idle ]; then
            echo "Slurm runs; its files lie in $state"
            return
        fi
        sleep 1
    done
    echo "error: the node did not come up; see $state/slurmctld.log and slurmd.log" >&2
    exit 1
}

case ${1:-} in
start) shift; start "$@" ;;
stop) stop ;;
*) echo "usage: $0 start [FOLDER] | stop" >&2; exit 2 ;;
esac
