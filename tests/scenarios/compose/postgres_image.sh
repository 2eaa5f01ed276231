#!/bin/sh
# postgres_image.sh NAME ENTRYPOINT: make an image of Debian's PostgreSQL under NAME, for machines that reach no image
# registry: it takes the variables POSTGRES_*, keeps its data in the same place and has the same health check as the
# one of that name. Needs a Docker engine, mmdebstrap, and a source of packages in the machine's own apt configuration.
set -eu
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
mmdebstrap --quiet --variant=minbase --include=postgresql-17 \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook="install -m 755 '$2' \"\$1/usr/local/bin/entrypoint\"" trixie - "$mirror" |
  docker import \
    --change 'ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENTRYPOINT ["entrypoint"]' --change 'EXPOSE 5432' - "$1" >/dev/null
