import { Command } from 'commander';

/** A command whose help may end with exit statuses and examples. Its subcommands are such commands too. */
export class DocumentedCommand extends Command {
  override createCommand(name?: string): DocumentedCommand {
    return new DocumentedCommand(name);
  }

  /** `text` begins with a line break, which leaves a line free behind the options. */
  endHelp(text: string): this {
    return this.addHelpText('after', text);
  }
}
