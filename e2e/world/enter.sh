# Makes the world that a page of the documentation runs in, and runs it there. It is called inside
# namespaces of its own (see src/world.rs): nothing that is mounted here is seen outside.
#
#   enter.sh CHECKOUT OUT BIN
#
# What a page writes goes to memory and is forgotten; only /mnt/out (OUT) stays.
set -euo pipefail
checkout=$1 out=$2 bin=$3

ip link set lo up # its ports are all free: nobody else is on this loopback

mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/out /mnt/bin /mnt/debug /mnt/world
mount --bind "$out" /mnt/out
mount --bind "$(dirname "$bin")" /mnt/bin
export BUILT_BINARY="/mnt/bin/${bin##*/}"
if [ -d "$checkout/target/debug" ]; then mount --bind "$checkout/target/debug" /mnt/debug; fi
mount --bind "$checkout/e2e/world" /mnt/world

over() {
  [ -d "$1" ] || return 0
  mkdir -p "/mnt/upper$1" "/mnt/work$1"
  chmod --reference="$1" "/mnt/upper$1"
  mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/upper$1,workdir=/mnt/work$1" "$1"
}
# The checkout last: it may lie in one of the others.
for folder in /etc /var /root /home /usr/local /tmp "$checkout"; do over "$folder"; done

# What Cargo has built may be used, and added to.
if [ -d "$checkout/target/debug" ]; then mount --bind /mnt/debug "$checkout/target/debug"; fi

mkdir -p "$HOME"
cd "$checkout"
exec bash /mnt/out/session.sh </dev/null
