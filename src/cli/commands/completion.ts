import type { Command } from 'commander';
import { choice, defineCommand } from '../command.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

export const completion = defineCommand({
  name: 'completion',
  summary: 'print a completion script for a shell',
  description: 'Prints a completion script for bash, zsh or fish.',
  takes: { shell: choice('the shell', SHELLS) },
  examples: [
    'source <(scopemesh completion bash)',
    `scopemesh completion zsh > "\${fpath[1]}/_scopemesh"`,
    'scopemesh completion fish > ~/.config/fish/completions/scopemesh.fish',
  ],
  run: async ({ shell }, { screen, program }) => screen.line(completionScript(program, shell)),
});

/** What may follow each command: its subcommands and options, and the options of the program. */
interface Node {
  /** The words that lead here, without the program's name. */
  readonly path: readonly string[];
  readonly words: readonly { readonly word: string; readonly help: string }[];
}

function completionScript(program: Command, shell: Shell): string {
  const nodes = nodesOf(program, [], []);
  switch (shell) {
    case 'bash':
      return bashScript(nodes);
    case 'zsh':
      return `#compdef scopemesh\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(nodes)}`;
    case 'fish':
      return fishScript(nodes);
  }
}

function nodesOf(command: Command, path: readonly string[], inherited: Node['words']): readonly Node[] {
  const options = [
    ...command.options.flatMap(({ long, description }) =>
      typeof long === 'string' ? [{ word: long, help: description }] : [],
    ),
    { word: '--help', help: 'show help' },
  ];
  const all = [...new Map([...inherited, ...options].map((each) => [each.word, each])).values()];
  const commands = command.commands.map((each) => ({ word: each.name(), help: each.summary() }));
  const choices = command.registeredArguments.flatMap(({ argChoices }) =>
    (argChoices ?? []).map((word) => ({ word, help: '' })),
  );
  return [
    { path, words: [...commands, ...choices, ...all] },
    ...command.commands.flatMap((each) => nodesOf(each, [...path, each.name()], all)),
  ];
}

/** The longest path of commands that was typed decides. Words that begin with - are not commands. */
function bashScript(nodes: readonly Node[]): string {
  const cases = nodes
    .map(
      ({ path, words }) => `    '${path.join(' ')}') words='${words.map(({ word }) => word).join(' ')}' ;;`,
    )
    .join('\n');
  const paths = nodes.map(({ path }) => `'${path.join(' ')}'`).join('|');
  return `_scopemesh() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path='' candidate word words=''
  case "$previous" in
    -c|--config|--input) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    candidate="\${path:+$path }$word"
    case "$candidate" in
      ${paths}) path="$candidate" ;;
    esac
  done
  case "$path" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _scopemesh scopemesh
`;
}

function fishScript(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, words }) => {
    const own = nodes.filter((each) => each.path.length === path.length + 1 && isBelow(each.path, path));
    const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
    const unseen =
      own.length === 0
        ? []
        : [`not __fish_seen_subcommand_from ${own.map((each) => each.path.at(-1)).join(' ')}`];
    const condition = [...seen, ...unseen].join('; and ');
    return words.map(({ word, help }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
      return `complete -c scopemesh -f -n '${condition}' ${what} -d ${quoted(help)}`;
    });
  });
  return `${lines.join('\n')}\ncomplete -c scopemesh -s c -l config -r -F\n`;
}

function isBelow(path: readonly string[], above: readonly string[]): boolean {
  return above.every((word, index) => path[index] === word);
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
