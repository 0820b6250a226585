#!/bin/sh
# See to it that the paper can be compiled: through apt where that is possible, else say what to install.
set -eu
packages="latexmk texlive-latex-base texlive-latex-recommended texlive-science lmodern"

have_latex() {
    command -v latexmk >/dev/null && command -v pdflatex >/dev/null &&
        kpsewhich siunitx.sty lmodern.sty booktabs.sty >/dev/null
}

have_latex && exit 0
if command -v apt-get >/dev/null; then
    if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2>/dev/null; then as_root="sudo"; else as_root="no"; fi
    if [ "$as_root" != no ]; then
        echo "installing LaTeX: $packages"
        log=$(mktemp)
        if $as_root apt-get update -qq >"$log" 2>&1 &&
            DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $packages >>"$log" 2>&1; then
            rm -f "$log"
            have_latex && exit 0
        fi
        echo "apt-get failed; its output: $log" >&2
    fi
fi
echo "error: LaTeX is missing; install it: sudo apt-get install $packages" >&2
exit 2
