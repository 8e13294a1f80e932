import type { Output } from '../cli/terminal/screen.js';
import { printable } from '../cli/terminal/screen.js';
import type { Decision } from '../model/decision.js';
import { toDecisionLine } from './decision-line.js';
import type { Warning } from './demo-log.js';
import { type ScreenFacts, toScreen } from './demo-screen.js';
import { createStyle, truncate } from './style.js';

/** Prints the output of the demo, for a person or for a program. */
export interface Reporter {
  ready(facts: ScreenFacts): void;
  decided(decision: Decision): void;
  warned(warning: Warning): void;
  stopping(): void;
}

/** One screen, then a line for each decision. */
export function createTextReporter(
  stdout: Output,
  environment: Readonly<Record<string, string | undefined>>,
): Reporter {
  const style = createStyle(stdout, environment);
  const { colors } = style;
  let isReady = false;
  return {
    ready(facts) {
      isReady = true;
      stdout.write(toScreen(facts, style));
    },
    decided(decision) {
      const line = toDecisionLine(decision, style);
      if (line !== undefined) stdout.write(`${line}\n`);
    },
    warned({ message, fields }) {
      const text = truncate(printable(`! ${message} ${fields}`), style.columns() - 1, style);
      stdout.write(`${colors.yellow(text)}\n`);
    },
    stopping() {
      // On a new line, after the ^C that the terminal shows.
      if (isReady) stdout.write(`\n${colors.dim('stopping')}\n`);
    },
  };
}

/** One line on stdout once everything runs; warnings go to stderr. */
export function createJsonReporter(stdout: Output, stderr: Output): Reporter {
  return {
    ready(facts) {
      const { scopemesh, consul, consulKind, idp, callers, configFile, stateDirectory, logFile, notes } =
        facts;
      const line = {
        scopemesh,
        console: facts.console,
        consul: consul.address,
        consulKind,
        consulManagementToken: consul.managementToken,
        idp: idp.address,
        idpManagementToken: idp.managementToken,
        callers,
        config: configFile,
        state: stateDirectory,
        log: logFile,
        notes,
      };
      stdout.write(`${JSON.stringify(line)}\n`);
    },
    decided() {},
    warned: ({ message, fields }) => void stderr.write(`${message} ${fields}\n`),
    stopping() {},
  };
}
