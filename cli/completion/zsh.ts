import type { CompletedCommand, CompletedFlag, CompletedProgram } from './describe-commands.ts';

/** A completion for zsh 5: sourced, or as a file _spoq on fpath. */
export function writeZsh({ flags, commands }: CompletedProgram): string {
  const described = commands.map(
    ({ name, description }) => `    ${quote(`${name}:${description.replaceAll(':', '\\:')}`)}`,
  );
  return `#compdef spoq
# zsh completion of spoq. In ~/.zshrc, after compinit: source <(spoq completion zsh)
_spoq_question() {
  compset -P '@' && _files
}
_spoq() {
  local curcontext=$curcontext state line
  local -a commands
  commands=(
${described.join('\n')}
  )
  _arguments -C \\
${flags.map((flag) => `    ${writeFlag(flag)} \\`).join('\n')}
    '1:command:->command' \\
    '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
${commands.map(writeCommand).join('\n')}
      esac
      ;;
  esac
}
if [ "$funcstack[1]" = _spoq ]; then
  _spoq "$@"
else
  compdef _spoq spoq
fi
`;
}

function writeCommand({ name, flags, choices, takesPaths }: CompletedCommand): string {
  const specs = flags.map(writeFlag);
  if (takesPaths) specs.push("'*:question:_spoq_question'");
  if (choices.length > 0) specs.push(quote(`1:argument:(${choices.join(' ')})`));
  return `        ${name}) _arguments ${specs.join(' ')} ;;`;
}

/** As _arguments wants it: \`'(-h --help)'{-h,--help}'[explain this command]'\`. */
function writeFlag({ names, description, value }: CompletedFlag): string {
  const text = `[${description.replaceAll(/[[\]\\]/g, String.raw`\$&`)}]`;
  const given = value === undefined ? '' : `:${value}:${value === 'path' ? '_files' : ' '}`;
  const [only = ''] = names;
  if (names.length === 1) return quote(`*${only}${text}${given}`);
  return `${quote(`(${names.join(' ')})`)}{${names.join(',')}}${quote(`${text}${given}`)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
