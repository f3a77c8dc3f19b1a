/**
 * The script that each shell evaluates. When Tab is pressed it asks `mq completion complete`, whose answer
 * is described in commands/completion.ts.
 *
 * Bash ends words at : and =, so the script joins them again, and cuts each offer to the piece that bash
 * replaces. Bash also counts redirections as words; the other two shells complete them by themselves. Behind
 * `--` the script asks for the completion of the command that stands there. Bash has that only with the
 * package bash-completion; without it, commands are offered, then files.
 */
export const SCRIPTS = {
  bash: `# bash completion for mq
_mq() {
  local i word cur= piece prefix line redirected= operator='^[0-9]*(<|>|>>|<>|>[|]|&>|&>>|<<<)$'
  local -a words=() places=()
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $redirected ]]; then
      redirected= cur=
      ((i < COMP_CWORD)) || redirected=here
    elif [[ $word =~ $operator ]]; then
      redirected=next cur=
    elif [[ $word && $cur && ( $word != *[!:=]* || $cur == *[:=] ) ]]; then
      cur+=$word
      words[\${#words[@]}-1]=$cur
    else
      words+=("$word")
      places+=("$i")
      cur=$word
    fi
  done
  piece=\${COMP_WORDS[COMP_CWORD]}
  [[ $piece == *[!:=]* ]] || piece=
  prefix=\${cur%"$piece"}
  COMPREPLY=()
  if [[ $redirected ]]; then
    compopt -o bashdefault -o default
    return
  fi
  while IFS= read -r line; do
    case $line in
      :files) compopt -o bashdefault -o default ;;
      ':command '*) _mq_command "\${places[\${line#* }-1]}" ;;
      *)
        line=\${line%%$'\\t'*}
        COMPREPLY+=("\${line#"$prefix"}")
        ;;
    esac
  done < <(mq completion complete -- "\${words[@]}" 2>/dev/null)
}
_mq_command() {
  if declare -F _command_offset >/dev/null; then
    _command_offset "$1"
    return
  fi
  compopt -o bashdefault -o default
  ((COMP_CWORD == $1)) && mapfile -t COMPREPLY < <(compgen -c -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -F _mq mq
`,
  zsh: `#compdef mq
_mq() {
  local line word
  local -a choices typed=("\${(@Q)words[2,CURRENT]}")
  while IFS= read -r line; do
    case $line in
      (:files) _files; return ;;
      (':command '*)
        local -i skipped=\${line#* }
        words=("\${(@)words[skipped+1,-1]}")
        ((CURRENT -= skipped))
        _normal
        return
        ;;
      (*)
        word=\${line%%$'\\t'*}
        choices+=("\${word//:/\\\\:}:\${line#*$'\\t'}")
        ;;
    esac
  done < <(mq completion complete -- "\${(@)typed}" 2>/dev/null)
  _describe -t words 'mq' choices
}
if [[ $funcstack[1] == _mq ]]; then
  _mq "$@"
else
  compdef _mq mq
fi
`,
  fish: `# fish completion for mq
function __mq_complete
    set -l typed (commandline -opc)[2..-1]
    set -l current (commandline -ct)
    for line in (mq completion complete -- $typed "$current" 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path "$current"
            case ':command *'
                set -l first (string replace ':command ' '' -- $line)
                complete -C (string join ' ' -- (string escape -- $typed[$first..-1]) "$current")
            case '*'
                echo $line
        end
    end
end
complete -c mq -e
complete -c mq -f -a '(__mq_complete)'
`,
};
