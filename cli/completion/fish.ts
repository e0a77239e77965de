import type { CompletedCommand, CompletedFlag, CompletedProgram } from './describe-commands.ts';

/** A completion for fish 3. */
export function writeFish({ flags, commands }: CompletedProgram): string {
  const lines = [
    ...flags.map((flag) => writeFlag('__fish_use_subcommand', flag)),
    ...commands.map(({ name, description }) => add('__fish_use_subcommand', `-a ${name} -d ${quote(description)}`)),
    ...commands.flatMap(writeCommand),
  ];
  return `# fish completion of spoq: spoq completion fish > ~/.config/fish/completions/spoq.fish
function __spoq_paths
    set -l token (commandline -ct)
    string match -q '@*' -- $token; or return
    for path in (__fish_complete_path (string sub -s 2 -- $token))
        echo "@$path"
    end
end
complete -c spoq -f
${lines.join('\n')}
`;
}

function writeCommand({ name, flags, choices, takesPaths }: CompletedCommand): string[] {
  const seen = `__fish_seen_subcommand_from ${name}`;
  return [
    ...flags.map((flag) => writeFlag(seen, flag)),
    ...(choices.length > 0 ? [add(seen, `-a ${quote(choices.join(' '))}`)] : []),
    ...(takesPaths ? [add(seen, `-a '(__spoq_paths)'`)] : []),
  ];
}

function writeFlag(condition: string, { names, description, value }: CompletedFlag): string {
  const given = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const taken = value === undefined ? '' : value === 'path' ? ' -r -F' : ' -x';
  return add(condition, `${given.join(' ')}${taken} -d ${quote(description)}`);
}

function add(condition: string, rest: string): string {
  return `complete -c spoq -n '${condition}' ${rest}`;
}

function quote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
}
