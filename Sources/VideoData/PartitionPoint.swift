extension RandomAccessCollection where Index == Int {
    /// How many elements from the first on satisfy `isBefore`, which no later one does after one that does not. By halves:
    /// a few of the elements are looked at.
    package func partitionPoint(where isBefore: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low - startIndex
    }
}
