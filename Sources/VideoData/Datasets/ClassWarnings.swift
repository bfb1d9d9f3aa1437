extension AnnotationList {
    /// Names the classes that the list has no video of; nil where it has videos of all.
    package func emptyClassWarning(_ classes: ClassNames) -> DatasetWarning? {
        let counts = clipCounts(classCount: classes.count)
        let empty = counts.indices.filter { counts[$0] == 0 }.map { classes[$0] }
        return empty.isEmpty ? nil : .classesWithoutVideos(list: path, names: empty)
    }
}
