extension RandomAccessCollection where Index == Int {
    /// The first element that `belongsBehind` holds for, where it holds for all behind that one too; found by halving.
    /// Named as swift-algorithms has it.
    func partitioningIndex(where belongsBehind: (Element) -> Bool) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if belongsBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
