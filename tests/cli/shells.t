Completion in the shells themselves.

  $ mkdir specs; echo 'it("works", function() end)' >specs/orders_spec.lua; : >specs/other.txt
  $ cat >itlua.lua <<'END'
  > return { profiles = { nightly = {} }, services = { db = { kind = "postgres" }, cache = { kind = "redis" } } }
  > END
  $ for shell in bash zsh fish; do itlua completion $shell >completion.$shell; $shell -n completion.$shell || echo $shell; done
  $ terminal() { python3 $FIXTURES/../../tests/fixtures/terminal.py "$@"; }
  $ cat >ask.bash <<'END'
  > source ./completion.bash
  > ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _itlua; echo "${COMPREPLY[*]}"; }
  > ask itlua --shuf
  > ask itlua ser
  > ask itlua services st
  > ask itlua specs/or
  > ask itlua --profile n
  > ask itlua --profile = po
  > ask itlua run --output jun
  > ask itlua -o TA
  > ask itlua repl --service ''
  > ask itlua repl --wr
  > ask itlua completion z
  > ask itlua list --last
  > ask itlua report --histo
  > ask itlua -C spe
  > ask itlua help doc
  > ask itlua --seed ''
  > END
  $ bash ask.bash
  --shuffle --shuffle-files --shuffle-tests
  services
  status
  specs/orders_spec.lua
  nightly
  polish
  junit
  TAP
  cache db
  --write
  zsh
  --last-failed
  --history
  specs/
  doctor
  
  $ cat >zshrc <<'END'
  > autoload -U compinit; compinit -u -D; source ./completion.zsh; PS1='> '; unsetopt beep; LISTMAX=0
  > END
  $ mkdir zdot; mv zshrc zdot/.zshrc
  $ terminal 'env ZDOTDIR=./zdot zsh -i' <<'END'
  > expect > 
  > send itlua --last-f\t
  > expect --last-failed
  > send \x15itlua doc\t
  > expect doctor
  > send \x15itlua --profile=night\t
  > expect --profile=nightly
  > send \x15itlua services sta\t
  > expect status
  > send \x15itlua repl --service cac\t
  > expect cache
  > send \x15itlua -o jun\t
  > expect junit
  > send \x15itlua specs/ord\t
  > expect specs/orders_spec.lua
  > send \x15exit\r
  > end
  > END
  exit code 0
  $ cat >ask.fish <<'END'
  > source completion.fish
  > function ask # newer ones also offer what holds the letters elsewhere
  >   echo (complete -C $argv[1] | string replace -r '\t.*' '' | string match -- (string split ' ' $argv[1])[-1]'*')
  > end
  > ask 'itlua --shuf'
  > ask 'itlua do'
  > ask 'itlua services st'
  > ask 'itlua specs/or'
  > ask 'itlua --profile night'
  > ask 'itlua run --output=jun'
  > ask 'itlua repl --service '
  > ask 'itlua repl --wr'
  > ask 'itlua completion z'
  > ask 'itlua list --last'
  > ask 'itlua --no-shuffle-f'
  > END
  $ XDG_CONFIG_HOME=$PWD XDG_DATA_HOME=$PWD fish --no-config ask.fish
  --shuffle --shuffle-files --shuffle-tests
  doctor
  status
  specs/orders_spec.lua
  nightly
  --output=junit
  cache db
  --write
  zsh
  --last-failed
  --no-shuffle-files
  $ itlua completion; itlua completion tcsh; itlua completion zhs
  itlua: completion: of which shell? (itlua completion bash|zsh|fish)
  itlua: completion: there is none for 'tcsh'; there is bash, zsh, fish
  itlua: completion: there is none for 'zhs' (did you mean zsh?); there is bash, zsh, fish
  [2]

The manual page.

  $ itlua man >itlua.1; groff -man -Tascii -ww itlua.1 >/dev/null
  $ groff -man -Tascii itlua.1 | sed 's/.\x08//g; s/\x1b\[[0-9]*m//g' | tr -s ' ' | grep -A 3 '^NAME\|--only-changed\|^EXIT'
  NAME
   itlua - runs integration tests
  
  SYNOPSIS
  --
   --only-changed[=REF]
   Only specs that changed, or that use what changed, since the
   last commit, or since REF (a branch: since it was left).
  
  --
  EXIT STATUS
   0 All tests passed.
  
   1 There were failures or errors, or no test ran.
  --
   itlua --only-changed=main
   What is touched by the changes of this branch.
  
   itlua --shuffle --seed 42
  $ for option in $(itlua --help | grep -o '^  \(-., \|    \) *--\(\[no-\]\)\?[a-z-]*' | sed 's/.*--\(\[no-\]\)\?//'); do
  >   grep -q -- "$(echo "$option" | sed 's/-/\\\\-/g')" itlua.1 || echo "$option is not in it"; done
