import type { z } from 'zod';
import type { Cli } from './cli.js';
import type { DocumentedCommand } from './documented-command.js';

/**
 * What a command is. Its help, its completion, its section of the manual, `--json` and the exit status follow from this, and
 * nothing else says them.
 */
interface Declaration<Takes extends Parameters, Document> {
  /** Below its group, if it has one. */
  readonly name: string;
  readonly isDefault?: true;
  readonly summary: string;
  readonly description: string;
  readonly takes: Takes;
  /** The document of `--json`. */
  readonly json: z.ZodType<Document>;
  /** The exit statuses, in words. */
  readonly exit: string;
  /** What the help says after them. */
  readonly notes?: string;
  readonly examples?: readonly string[];
  /** What is wrong with the parameters together. */
  readonly faultOf?: (given: Given<Takes>) => string | undefined;
  readonly ask: (given: Given<Takes>, cli: Cli) => Promise<Document>;
  readonly print: (document: Document, cli: Cli, given: Given<Takes>) => void;
  /** 0 by default. */
  readonly status?: (document: Document) => number;
}

/** A command, or a group of them, that a program can take. */
export interface Command {
  readonly add: (program: DocumentedCommand, cli: Cli) => void;
}

/** An argument has `usage` around its name; an option has one behind it, or none if it is a flag. */
interface Parameter<T> {
  readonly kind: 'argument' | 'option' | 'required';
  readonly usage: string;
  readonly help: string;
  parse?(text: string, before?: T): T;
}

/** By name. The arguments are in their order. */
type Parameters = Readonly<Record<string, Parameter<unknown>>>;
type Given<Takes extends Parameters> = {
  readonly [Name in keyof Takes]: Takes[Name] extends Parameter<infer T> ? T : never;
};

export function argument(help: string): Parameter<string> {
  return { kind: 'argument', usage: '<>', help };
}

export function severalArguments(help: string, usage: '<...>' | '[...]'): Parameter<readonly string[]> {
  return { kind: 'argument', usage, help };
}

export function flag(help: string): Parameter<true | undefined> {
  return { kind: 'option', usage: '', help };
}

export function option<T>(
  usage: string,
  help: string,
  parse: (text: string, before?: T) => T,
): Parameter<T | undefined> {
  return { kind: 'option', usage, help, parse: (text, before) => parse(text, before) };
}

export function required<T>(usage: string, help: string, parse: (text: string) => T): Parameter<T> {
  return { kind: 'required', usage, help, parse };
}

export function defineCommand<Takes extends Parameters, Document>(
  declared: Declaration<Takes, Document>,
): Command {
  const { name, isDefault = false, summary, description, takes, json } = declared;
  const names: readonly (keyof Takes & string)[] = Object.keys(takes);
  const argumentNames = names.filter((each) => takes[each]?.kind === 'argument');
  return {
    add(program, cli) {
      const command = program.command(name, { isDefault }).summary(summary).description(description);
      for (const each of names) addParameter(each, takes[each], command);
      command
        .option('--json', `print one JSON document${keysText(json)}`)
        .endHelp(endOfHelp(declared))
        .action(async (...values: readonly unknown[]) => {
          argumentNames.forEach((each, index) => void command.setOptionValue(each, values[index]));
          const given = command.opts<Given<Takes> & { readonly json?: true }>();
          const fault = declared.faultOf?.(given);
          if (fault !== undefined) return command.error(`error: ${fault}`, { exitCode: 1 });
          const document = await declared.ask(given, cli);
          if (given.json) cli.screen.json(document);
          else declared.print(document, cli, given);
          cli.exit(declared.status?.(document) ?? 0);
        });
    },
  };
}

/** Commands with a name before theirs. */
export function defineGroup(
  name: string,
  { summary, description }: { readonly summary: string; readonly description: string },
  commands: readonly Command[],
): Command {
  return {
    add(program, cli) {
      const group = program.command(name).summary(summary).description(description);
      for (const each of commands) each.add(group, cli);
    },
  };
}

function addParameter(
  name: string,
  parameter: Parameter<unknown> | undefined,
  command: DocumentedCommand,
): void {
  if (parameter === undefined) return;
  const { kind, usage, help, parse } = parameter;
  if (kind === 'argument') {
    command.argument(`${usage[0]}${name}${usage.slice(1)}`, help);
    return;
  }
  const words = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const flags = `--${words}${usage === '' ? '' : ` ${usage}`}`;
  if (parse === undefined) command.option(flags, help);
  else if (kind === 'required') command.requiredOption(flags, help, parse);
  else command.option(flags, help, parse);
}

/** `: grant and heldBy` for a document with these keys. */
function keysText(json: z.ZodType): string {
  if (!('shape' in json) || typeof json.shape !== 'object' || json.shape === null) return '';
  return `: ${Object.keys(json.shape).join(' and ')}`;
}

function endOfHelp({
  exit,
  notes,
  examples = [],
}: Pick<Declaration<Parameters, unknown>, 'exit' | 'notes' | 'examples'>): string {
  const title = examples.length === 1 ? 'Example:' : 'Examples:';
  const shown = examples.length === 0 ? [] : [[title, ...examples.map((each) => `  ${each}`)].join('\n')];
  return `\n${[`Exit status: ${exit}`, ...(notes === undefined ? [] : [notes]), ...shown].join('\n\n')}`;
}
