// Prints, for each script below the given folders, the module specifiers that TypeScript's own parser finds.
const ts = require(process.argv[2]);
const fs = require("fs");
const path = require("path");

const SCRIPT = /\.(?:[cm]?[jt]s|[jt]sx)$/;
const kinds = { ".tsx": ts.ScriptKind.TSX, ".jsx": ts.ScriptKind.JSX, ".js": ts.ScriptKind.JSX, ".mjs": ts.ScriptKind.JSX, ".cjs": ts.ScriptKind.JSX };

function* files(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* files(full);
    else if (SCRIPT.test(entry.name)) yield full;
  }
}

const text = (node) => (node && (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) ? node.text : undefined);

function named(node) {
  if (ts.isImportDeclaration(node)) return [text(node.moduleSpecifier), onlyTypes(node.importClause)];
  if (ts.isExportDeclaration(node)) return [text(node.moduleSpecifier), node.isTypeOnly || allTypes(node.exportClause)];
  if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference))
    return [text(node.moduleReference.expression), node.isTypeOnly];
  if (ts.isImportTypeNode(node)) return [text(node.argument.literal), true];
  if (ts.isModuleDeclaration(node)) return [text(node.name), true];
  if (ts.isCallExpression(node) && node.arguments.length) {
    const callee = node.expression;
    if (callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === "require"))
      return [text(node.arguments[0]), false];
  }
  return [undefined, false];
}

function onlyTypes(clause) {
  if (!clause) return false;
  return clause.isTypeOnly || (!clause.name && allTypes(clause.namedBindings));
}

function allTypes(names) {
  const elements = names && names.elements;
  return Boolean(elements && elements.length && elements.every((one) => one.isTypeOnly));
}

for (const folder of process.argv.slice(3)) {
  for (const file of files(folder)) {
    const source = fs.readFileSync(file, "utf8");
    const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true, kinds[path.extname(file)]);
    const found = [];
    const visit = (node) => {
      const [name, types] = named(node);
      if (name !== undefined) {
        const line = source.slice(0, node.getStart(tree)).split("\n").length;
        found.push([line, name, Boolean(types)]);
      }
      ts.forEachChild(node, visit);
    };
    visit(tree);
    for (const reference of tree.typeReferenceDirectives)
      found.push([source.slice(0, reference.pos).split("\n").length, reference.fileName, true]);
    console.log(JSON.stringify({ file, errors: tree.parseDiagnostics.length, found }));
  }
}
