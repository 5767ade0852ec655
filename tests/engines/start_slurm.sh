#!/bin/bash
# Starts a SLURM of one machine in a folder of its own, and stays until its standard input ends.
# Usage: start_slurm.sh FOLDER [CPUS]; as root, with Debian's slurm-wlm and munge.
# Prints "ready" when jobs can be submitted with SLURM_CONF=FOLDER/slurm.conf.
set -eu
folder=$1 cpus=${2:-2} host=$(hostname -s)
# Two ports that nobody has.
read -r control node < <(python3 -c 'import socket
ends = [socket.create_server(("", 0)) for _ in range(2)]
print(*(end.getsockname()[1] for end in ends))')
mkdir -p "$folder"/{munge,state,spool}
head -c 1024 /dev/urandom > "$folder/munge/key"
chmod 400 "$folder/munge/key"
munge() { printf '%s\n' "$folder/munge/$1"; }
munged --force --foreground --key-file="$(munge key)" --socket="$(munge socket)" \
  --pid-file="$(munge pid)" --log-file="$(munge log)" --seed-file="$(munge seed)" \
  > "$folder/munged.out" 2>&1 &
daemons=$!
cat > "$folder/slurm.conf" <<CONF
ClusterName=t
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$control
SlurmdPort=$node
AuthType=auth/munge
AuthInfo=socket=$(munge socket),cred_expire=10
MessageTimeout=60
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ReturnToService=2
MpiDefault=none
KillWait=5
SchedulerParameters=batch_sched_delay=0,sched_interval=2,requeue_delay=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
CONF
export SLURM_CONF=$folder/slurm.conf
fail() {
  tail -n 5 "$folder"/*.out "$folder"/*.log >&2
  exit 1
}
trap 'kill $daemons 2> /dev/null; sleep 1; kill -9 $daemons 2> /dev/null; wait' EXIT
slurmctld -D -f "$SLURM_CONF" > "$folder/slurmctld.out" 2>&1 &
daemons="$! $daemons"
until (exec 3<> "/dev/tcp/127.0.0.1/$control") 2> /dev/null; do
  kill -0 "${daemons%% *}" || fail
  sleep 0.1
done
slurmd -D -f "$SLURM_CONF" > "$folder/slurmd.out" 2>&1 &
daemons="$! $daemons"
until [ "$(sinfo --noheader --format=%t 2> /dev/null)" = idle ]; do
  kill -0 "${daemons%% *}" || fail
  sleep 0.5
done
echo ready
cat > /dev/null
