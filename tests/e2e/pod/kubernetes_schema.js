// Checks objects against Kubernetes' OpenAPI description as the npm package kubernetes-models carries it, as `kubectl apply
// --validate=strict` does: ajv's validators for types, required fields and formats; TypeScript's excess property check for fields
// that do not exist. Reads a JSON array of {where, kind, value} from standard input; `kind` is a name of the core API, v1. Prints one
// problem a line. The working directory has the node_modules.
"use strict";
const { createRequire } = require("node:module");
const path = require("node:path");
const load = createRequire(path.resolve("package.json"));
const ts = load("typescript");

const objects = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const problems = [];

for (const { where, kind, value } of objects) {
  const Model = load(`kubernetes-models/v1/${kind}`)[kind];
  try {
    new Model(value).validate();
  } catch (error) {
    problems.push(`${where}: ${error.message}`);
  }
}

// One source text with a declaration an object; a problem is told with the object that it is in.
const declarations = objects.map(({ kind, value }, index) => ({
  text: `import { I${kind} } from "kubernetes-models/v1/${kind}";\nexport const value: I${kind} = ${JSON.stringify(value, null, 1)};\n`,
  file: path.resolve(`object${index}.ts`),
}));
const host = ts.createCompilerHost({});
const read = host.getSourceFile;
host.getSourceFile = (file, ...rest) => {
  const declaration = declarations.find((each) => each.file === file);
  return declaration ? ts.createSourceFile(file, declaration.text, ts.ScriptTarget.ES2020) : read(file, ...rest);
};
const program = ts.createProgram(declarations.map((each) => each.file), {
  noEmit: true, strict: true, skipLibCheck: true, target: ts.ScriptTarget.ES2020, types: [],
  module: ts.ModuleKind.CommonJS, moduleResolution: ts.ModuleResolutionKind.Node10,
}, host);
for (const { file, start, messageText } of ts.getPreEmitDiagnostics(program)) {
  const index = declarations.findIndex((each) => each.file === file?.fileName);
  const where = index < 0 ? "types" : `${objects[index].where}, at ${declarations[index].text.slice(start).split("\n")[0]}`;
  problems.push(`${where}: ${ts.flattenDiagnosticMessageText(messageText, "; ")}`);
}
if (problems.length > 0) console.log(problems.join("\n"));
