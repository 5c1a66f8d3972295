#!/usr/bin/env node
// A file of its own, and executable in the repository: what the compiler writes is not, and npm makes a command's file executable only when it first links it.
import '../dist/src/cli/main.js';
