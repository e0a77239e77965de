/** What can go wrong with runs, for the table of all errors (errors.ts). */
export const RUN_ERRORS = {
  run_unavailable: {
    status: 503,
    title: 'This box cannot run anything',
    exit: 1,
    next: 'Runs need a box with systemd, where they are confined. Ask with `spoq ask` instead.',
  },
  run_limit: {
    status: 409,
    title: 'The run has reached a limit',
    exit: 1,
    next: 'Everything up to here is kept. Look with `spoq diff`; go on with `spoq resume`.',
  },
  context_full: {
    status: 413,
    title: 'The conversation is too long for the model',
    exit: 1,
    next: 'What was changed is kept: see `spoq diff`. Begin another run, with what is left to do.',
  },
  nothing_to_continue: {
    status: 409,
    title: 'There is no run to go on with',
    exit: 1,
    next: 'Begin one with `spoq run`, or ask on with `spoq ask --in`.',
  },
  approval_unknown: { status: 404, title: 'Nothing asks for this', exit: 1, next: 'See `spoq attach`.' },
  approval_decided: {
    status: 409,
    title: 'It has been answered already',
    exit: 1,
    next: 'See `spoq attach` for how it goes on.',
  },
  approval_needed: {
    status: 409,
    title: 'The run waits for an answer',
    exit: 1,
    next: 'Answer with `spoq attach` in a terminal, or allow it beforehand with --allow.',
  },
  workplace_unknown: {
    status: 404,
    title: 'There is no copy of a workspace',
    exit: 1,
    next: 'It was applied or discarded, or this conversation never had one. Begin with `spoq run`.',
  },
  workplace_lost: {
    status: 503,
    title: 'The place of the run was lost',
    exit: 69,
    next: 'Its files are kept. Go on with `spoq resume`.',
  },
  input_refused: {
    status: 409,
    title: 'The program takes no such input',
    exit: 1,
    next: 'See `spoq attach` for what it does.',
  },
  output_too_large: {
    status: 413,
    title: 'The program has written too much',
    exit: 1,
    next: 'Write to a file of the workspace instead, and look at that.',
  },
  changes_conflict: {
    status: 409,
    title: 'Some files were changed here as well',
    exit: 1,
    next: 'Both versions are kept: look at the files that are named.',
  },
} as const;
