import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.IdentifierTree;
import com.sun.source.tree.ImportTree;
import com.sun.source.tree.LiteralTree;
import com.sun.source.tree.MemberSelectTree;
import com.sun.source.tree.PackageTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.SourcePositions;
import com.sun.source.util.TreeScanner;
import com.sun.source.util.Trees;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/** Prints what javac's parser finds in the Java files below a folder: kind, file, line and name, tab-separated. */
public final class JavaImports {
    public static void main(String[] arguments) throws Exception {
        List<Path> files;
        try (Stream<Path> all = Files.walk(Path.of(arguments[0]))) {
            files = all.filter(file -> file.toString().endsWith(".java")).sorted().collect(Collectors.toList());
        }
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        DiagnosticCollector<JavaFileObject> problems = new DiagnosticCollector<>();
        StandardJavaFileManager manager = compiler.getStandardFileManager(problems, null, StandardCharsets.UTF_8);
        JavacTask task = (JavacTask) compiler.getTask(
                null, manager, problems, List.of("-proc:none"), null, manager.getJavaFileObjectsFromPaths(files));
        SourcePositions positions = Trees.instance(task).getSourcePositions();
        for (CompilationUnitTree unit : task.parse()) {
            System.out.println("file\t" + unit.getSourceFile().getName() + "\t0\t-");
            unit.accept(new Names(unit, positions), null);
        }
        problems.getDiagnostics().forEach(one ->
                System.out.println("problem\t" + one.getSource().getName() + "\t" + one.getLineNumber() + "\t" + one.getCode()));
    }

    private static final class Names extends TreeScanner<Void, Void> {
        private final CompilationUnitTree unit;
        private final SourcePositions positions;

        Names(CompilationUnitTree unit, SourcePositions positions) {
            this.unit = unit;
            this.positions = positions;
        }

        @Override
        public Void visitImport(ImportTree tree, Void nothing) {
            tell("import", tree, tree.getQualifiedIdentifier().toString());
            return null;
        }

        @Override
        public Void visitPackage(PackageTree tree, Void nothing) {
            tell("reference", tree.getPackageName(), tree.getPackageName().toString());
            return scan(tree.getAnnotations(), nothing);
        }

        @Override
        public Void visitMemberSelect(MemberSelectTree tree, Void nothing) {
            Tree inner = tree;
            while (inner instanceof MemberSelectTree) {
                inner = ((MemberSelectTree) inner).getExpression();
            }
            if (inner instanceof IdentifierTree) {
                tell("reference", tree, tree.toString());
                return null;
            }
            return super.visitMemberSelect(tree, nothing);
        }

        @Override
        public Void visitLiteral(LiteralTree tree, Void nothing) {
            if (tree.getValue() instanceof String && ((String) tree.getValue()).matches("[\\w$.]+")) {
                tell("string", tree, (String) tree.getValue());
            }
            return null;
        }

        private void tell(String kind, Tree tree, String name) {
            long line = unit.getLineMap().getLineNumber(positions.getStartPosition(unit, tree));
            System.out.println(kind + "\t" + unit.getSourceFile().getName() + "\t" + line + "\t" + name);
        }
    }
}
