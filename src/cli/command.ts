import { Argument, Option, type Command as Program } from 'commander';
import type { z } from 'zod';
import { definedFields } from '../model/defined-fields.js';
import type { Cli } from './cli.js';

/**
 * What a command is. Its help, its completion, its section of the manual, `--json` and the exit status follow from this, and
 * nothing else says them.
 */
type Declaration<Takes extends Parameters, Answer> = {
  /** Below its group, if it has one. */
  readonly name: string;
  readonly isDefault?: true;
  readonly summary: string;
  readonly description: string;
  readonly takes?: Takes;
  /** The document of `--json`, or the help of this option. Without it the command has no `--json`. */
  readonly json?: z.ZodType<Answer> | string;
  /** The exit statuses, in words. */
  readonly exit?: string;
  /** What the help says after them. */
  readonly notes?: string;
  readonly examples?: readonly string[];
  /** What is wrong with the parameters together. */
  readonly faultOf?: (given: Given<Takes>) => string | undefined;
} & (Question<Takes, Answer> | Task<Takes>);

/** A command that has its whole answer before it prints. */
interface Question<Takes extends Parameters, Answer> {
  readonly ask: (given: Given<Takes>, cli: Cli) => Promise<Answer>;
  /** What `--json` prints of the answer; by default all of it. */
  readonly document?: (answer: Answer, given: Given<Takes>) => unknown;
  readonly print: (answer: Answer, cli: Cli, given: Given<Takes>) => void;
  /** 0 by default. */
  readonly status?: (answer: Answer) => number;
  readonly run?: never;
}

/** A command that prints while it works. */
interface Task<Takes extends Parameters> {
  /** Whether a signal is its normal end. */
  readonly isEndless?: true;
  /** Tells `cli` the exit status, if it is not 0. */
  readonly run: (given: Given<Takes>, cli: Cli) => Promise<void>;
  readonly ask?: never;
}

/** A command, or a group of them, that a program can take. */
export interface Command {
  readonly add: (program: Program, cli: Cli) => void;
}

/** An argument has `usage` around its name; an option has one behind it, or none if it is a flag. */
interface Parameter<T> {
  readonly kind: 'argument' | 'option' | 'required';
  readonly usage: string;
  readonly help: string;
  /** The letter of an option. */
  readonly short?: string;
  readonly choices?: readonly string[];
  readonly fallback?: unknown;
  parse?(text: string, before?: unknown): unknown;
  /** Only a type: no parameter has it. */
  readonly gives?: T;
}

type Parse = NonNullable<Parameter<unknown>['parse']>;
type Text = (text: string) => string;

/** By name. The arguments are in their order. */
type Parameters = Readonly<Record<string, Parameter<unknown>>>;
type Given<Takes extends Parameters> = {
  readonly [Name in keyof Takes]: Takes[Name] extends Parameter<infer T> ? T : never;
} & { readonly json?: true };

export function argument<P extends Parse = Text>(help: string, parse?: P): Parameter<ReturnType<P>> {
  return { kind: 'argument', usage: '<>', help, ...definedFields({ parse }) };
}

export function optionalArgument<P extends Parse = Text>(
  help: string,
  parse?: P,
): Parameter<ReturnType<P> | undefined> {
  return { kind: 'argument', usage: '[]', help, ...definedFields({ parse }) };
}

export function severalArguments(help: string, usage: '<...>' | '[...]'): Parameter<readonly string[]> {
  return { kind: 'argument', usage, help };
}

export function flag(help: string, short?: string): Parameter<true | undefined> {
  return { kind: 'option', usage: '', help, ...definedFields({ short }) };
}

/** `--no-NAME`: the value is false with it, and true without. */
export function without(help: string): Parameter<boolean> {
  return { kind: 'option', usage: 'no', help };
}

export function option<P extends Parse = Text>(
  usage: string,
  help: string,
  parse?: P,
  short?: string,
): Parameter<ReturnType<P> | undefined> {
  return { kind: 'option', usage, help, ...definedFields({ parse, short }) };
}

export function required<P extends Parse = Text>(
  usage: string,
  help: string,
  parse?: P,
): Parameter<ReturnType<P>> {
  return { kind: 'required', usage, help, ...definedFields({ parse }) };
}

/** An option that has a value even if nobody gives it. */
export function preset<P extends Parse>(
  usage: string,
  help: string,
  fallback: ReturnType<P>,
  parse: P,
  short?: string,
): Parameter<ReturnType<P>> {
  return { kind: 'option', usage, help, fallback, parse, ...definedFields({ short }) };
}

/** An option with several values. */
export function files(help: string): Parameter<readonly string[] | undefined> {
  return { kind: 'option', usage: '<file...>', help };
}

/** One of these words: an argument, or an option with `usage`, for which the first one is the default. */
export function choice<const T extends string>(
  help: string,
  choices: readonly T[],
  usage?: string,
): Parameter<T> {
  if (usage === undefined) return { kind: 'argument', usage: '<>', help, choices };
  return { kind: 'option', usage, help, choices, fallback: choices[0] };
}

export function defineCommand<Answer, Takes extends Parameters = Record<never, never>>(
  declared: Declaration<Takes, Answer>,
): Command {
  const { name, isDefault = false, summary, description, takes, json } = declared;
  const parameters = Object.entries<Parameter<unknown>>(takes ?? {});
  const argumentNames = parameters.filter(([, { kind }]) => kind === 'argument').map(([each]) => each);
  return {
    add(program, cli) {
      const command = program.command(name, { isDefault }).summary(summary).description(description);
      for (const [each, parameter] of parameters) addParameter(each, parameter, command);
      if (json !== undefined) command.option('--json', typeof json === 'string' ? json : jsonHelp(json));
      command.addHelpText('after', endOfHelp(declared)).action(async (...values: readonly unknown[]) => {
        argumentNames.forEach((each, index) => void command.setOptionValue(each, values[index]));
        const given = command.opts<Given<Takes>>();
        const fault = declared.faultOf?.(given);
        if (fault !== undefined) return command.error(`error: ${fault}`, { exitCode: 1 });
        if (declared.ask) return answer(declared, given, cli);
        await declared.run(given, cli).catch((error: unknown) => {
          if (!declared.isEndless || !cli.signal.aborted) throw error;
        });
      });
    },
  };
}

async function answer<Takes extends Parameters, Answer>(
  { ask, document = (found) => found, print, status }: Question<Takes, Answer>,
  given: Given<Takes>,
  cli: Cli,
): Promise<void> {
  const found = await ask(given, cli);
  if (given.json) cli.screen.json(document(found, given));
  else print(found, cli, given);
  cli.exit(status?.(found) ?? 0);
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
  { kind, usage, help, short, choices, fallback, parse }: Parameter<unknown>,
  command: Program,
): void {
  const words = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const flags = usage === 'no' ? `--no-${words}` : `--${words} ${usage}`.trimEnd();
  const made =
    kind === 'argument'
      ? new Argument(`${usage[0]}${words}${usage.slice(1)}`, help)
      : new Option(short === undefined ? flags : `-${short}, ${flags}`, help);
  if (parse !== undefined) made.argParser(parse);
  if (choices !== undefined) made.choices(choices);
  if (fallback !== undefined) made.default(fallback);
  if (made instanceof Argument) command.addArgument(made);
  else command.addOption(made.makeOptionMandatory(kind === 'required'));
}

/** The keys of the document in words. */
function jsonHelp(json: z.ZodType): string {
  const keys = 'shape' in json && typeof json.shape === 'object' ? Object.keys(json.shape ?? {}) : [];
  return `print one JSON document${keys.length === 0 ? '' : `: ${keys.join(' and ')}`}`;
}

function endOfHelp({
  exit,
  notes,
  examples = [],
}: Pick<Declaration<Parameters, unknown>, 'exit' | 'notes' | 'examples'>): string {
  const title = examples.length === 1 ? 'Example:' : 'Examples:';
  const parts = [
    exit && `Exit status: ${exit}`,
    notes,
    examples.length > 0 && [title, ...examples.map((each) => `  ${each}`)].join('\n'),
  ];
  return parts.flatMap((part) => (part ? [`\n${part}`] : [])).join('\n');
}
