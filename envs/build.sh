#!/bin/sh
# Build the image with the engine that is here, and print what identifies it. Variables, all optional:
#   IMAGE        its name                            (regen:cuda, or regen:cpu with TORCH_INDEX)
#   BASE         the image that it starts from       (Debian 12)
#   TORCH_INDEX  an index of CPU-only torch wheels
#   PUSH         where to push it, such as docker://registry.example.org/regen
#   ENGINE       buildah, podman or docker
# Arguments go to the engine's build command.
set -eu
cd "$(dirname "$0")/.."

for engine in ${ENGINE:-buildah podman docker} none; do
    command -v "$engine" >/dev/null && break
done
if [ "$engine" = none ]; then
    echo "error: ${ENGINE:-buildah, podman or docker} is not installed; apt-get install buildah" >&2
    exit 2
fi
if [ -n "${TORCH_INDEX:-}" ]; then variant=cpu; else variant=cuda; fi
image=${IMAGE:-regen:$variant}

set -- --file envs/Containerfile --tag "$image" "$@"
[ -z "${BASE:-}" ] || set -- --build-arg "BASE=$BASE" "$@"
[ -z "${TORCH_INDEX:-}" ] || set -- --build-arg "TORCH_INDEX=$TORCH_INDEX" "$@"
"$engine" build "$@" .

if [ -z "${PUSH:-}" ]; then
    case $engine in
        buildah) digest=$(buildah inspect --type image --format '{{.FromImageDigest}}' "$image") ;;
        podman) digest=$(podman image inspect --format '{{.Digest}}' "$image") ;;
        docker) digest=$(docker image inspect --format '{{.Id}}' "$image") ;;
    esac
    echo "$image is $digest"
    exit
fi
to=${PUSH#docker://}
name=$to
case ${to##*/} in *:*) name=${to%:*} ;; esac # without the tag; a port may stay
if [ "$engine" = docker ]; then
    docker tag "$image" "$to"
    docker push "$to"
    digest=$(docker image inspect --format '{{index .RepoDigests 0}}' "$to")
    digest=${digest##*@}
else
    file=$(mktemp)
    "$engine" push --digestfile "$file" "$image" "$PUSH"
    digest=$(cat "$file")
    rm "$file"
fi
# A registry knows an image by the digest that it has there, which compression changes.
echo "container: \"docker://$name@$digest\""
