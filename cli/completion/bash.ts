import type { CompletedCommand, CompletedFlag, CompletedProgram } from './describe-commands.ts';

/** A completion for bash 3.2 (macOS) and later. */
export function writeBash({ flags, commands }: CompletedProgram): string {
  const top = [...commands.map(({ name }) => name), ...listNames(flags)].join(' ');
  return `# bash completion of spoq. In ~/.bashrc: source <(spoq completion bash)
_spoq() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command='' words='' paths='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in -*) ;; *) command=\${COMP_WORDS[i]}; break ;; esac
  done
  case $command in
    '') words='${top}' ;;
${commands.map(writeCommand).join('\n')}
  esac
  # COMP_WORDS may cut a word at @; what is put in its place begins with the @ all the same.
  if [ -n "$paths" ]; then
    case $cur in @*) cur=\${cur#@}; _spoq_files @; return ;; esac
    if [ "$prev" = @ ]; then _spoq_files @; return; fi
  fi
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
# Not -o filenames: bash would quote the @, and not know its folder.
_spoq_files() {
  local IFS=$'\\n' path
  for path in $(compgen -f -- "$cur"); do
    if [ -d "$path" ]; then path=$path/; fi
    COMPREPLY+=("$1$(printf %q "$path")")
  done
  case \${COMPREPLY[0]} in */) compopt -o nospace 2>/dev/null ;; esac
}
complete -F _spoq spoq
`;
}

function writeCommand({ name, flags, choices, takesPaths }: CompletedCommand): string {
  const values = flags
    .filter(({ value }) => value !== undefined)
    .map(({ names, value }) => `${names.join('|')}) ${value === 'path' ? "_spoq_files ''; " : ''}return ;; `);
  const after = values.length === 0 ? '' : ` case $prev in ${values.join('')}esac;`;
  const words = [...choices, ...listNames(flags)].join(' ');
  return `    ${name})${after} words='${words}'${takesPaths ? ' paths=1' : ''} ;;`;
}

function listNames(flags: readonly CompletedFlag[]): string[] {
  return flags.flatMap(({ names }) => names);
}
