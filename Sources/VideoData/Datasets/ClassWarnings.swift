extension AnnotationList {
    /// Names the classes that the list has no film of; nil where it has films of all.
    package func emptyClassWarning(_ classes: ClassNames) -> DatasetWarning? {
        let counts = clipCounts(classCount: classes.count)
        let empty = counts.indices.filter { counts[$0] == 0 }.map { classes[$0] }
        return empty.isEmpty ? nil : .classesWithoutFilms(list: path, names: empty)
    }
}
