# Every phrase of say() in Vietnamese, by its English text; definitions by their term.
vietnamese_phrases <- c(
  # pages and the frame
  "Overview" = "Tổng quan", "Funnel" = "Phễu", "Products" = "Sản phẩm", "Visitors" = "Khách",
  "Sessions" = "Phiên", "Explore" = "Khám phá", "Pipeline" = "Dữ liệu", "Pages" = "Các trang",
  "Language" = "Ngôn ngữ", "Dark or light" = "Tối hay sáng", "Loading" = "Đang tải",
  "Skip to the numbers" = "Đến thẳng số liệu", "Show as table" = "Xem dạng bảng",
  "The same numbers as a table" = "Cùng số liệu dạng bảng", "Copied" = "Đã chép",
  "Copy link to this view" = "Sao chép liên kết", "Filters" = "Bộ lọc", "Range" = "Khoảng ngày",
  "First day" = "Ngày đầu", "Last day" = "Ngày cuối", "Time zone" = "Múi giờ",
  "Today" = "Hôm nay", "Yesterday" = "Hôm qua", "7 d" = "7 ngày", "30 d" = "30 ngày",
  "90 d" = "90 ngày", "The filters of the other pages do not apply here." =
    "Bộ lọc của các trang khác không áp dụng ở đây.",
  "The connection to the dashboard was lost. It is opened again by itself." =
    "Mất kết nối với bảng số liệu. Trang sẽ tự mở lại.",
  "Revenue is not shown: checkout events carry no order value." =
    "Không có doanh thu: sự kiện thanh toán không mang giá trị đơn hàng.",
  "Ranges are [from, to) in the time zone chosen." =
    "Khoảng ngày là [từ, đến) theo múi giờ đã chọn.",
  "Rates are sums divided by sums, not means of rates." =
    "Tỷ lệ là tổng chia cho tổng, không phải trung bình của các tỷ lệ.",
  # filters
  "Search" = "Tìm", "All" = "Tất cả", "Not set" = "Không có", "Remove" = "Bỏ",
  "Clear filters" = "Xóa bộ lọc", "How a filter counts" = "Bộ lọc tính thế nào",
  "Nothing matches." = "Không có kết quả.", "Nothing is loaded yet." = "Chưa có dữ liệu.",
  "%s more: type a part of the name." = "Còn %s nữa: gõ một phần của tên.",
  "Part of this link cannot be read and was left out: %s." =
    "Một phần của liên kết không đọc được nên đã bỏ qua: %s.",
  "No event has this, so it was left out: %s." = "Không có sự kiện nào như vậy nên đã bỏ qua: %s.",
  "Close" = "Đóng", "Show or hide" = "Hiện hoặc ẩn",
  "Dismiss" = "Đóng", "Login state" = "Đăng nhập", "Category" = "Danh mục",
  "Brand" = "Thương hiệu", "Event" = "Sự kiện", "Logged in" = "Đã đăng nhập",
  "Anonymous" = "Ẩn danh", "Guest" = "Khách vãng lai", "Other" = "Khác",
  # states
  "No event passes the filter “%s” in this range. Remove it, or choose a longer range." =
    "Không có sự kiện nào qua bộ lọc “%s” trong khoảng này. Hãy bỏ nó hoặc chọn khoảng dài hơn.",
  "No event passes all filters in this range: %s. Remove one, or choose a longer range." =
    "Không có sự kiện nào qua hết các bộ lọc: %s. Hãy bỏ bớt hoặc chọn khoảng dài hơn.",
  "No event was loaded for this range. Choose a longer range, or look at Pipeline." =
    "Chưa nạp sự kiện nào cho khoảng này. Hãy chọn khoảng dài hơn hoặc xem trang Dữ liệu.",
  "Nothing here" = "Không có gì", "This takes too long" = "Mất quá nhiều thời gian",
  "No answer from the database" = "Cơ sở dữ liệu không trả lời",
  "The warehouse needs more than ten seconds for this range. Choose a shorter one." =
    "Kho dữ liệu cần hơn mười giây cho khoảng này. Hãy chọn khoảng ngắn hơn.",
  "Nothing is lost. This page asks again and comes back by itself." =
    "Không mất gì cả. Trang sẽ tự hỏi lại và trở lại.",
  "Nothing is lost." = "Không mất gì cả.",
  "Nothing is lost; numbers shown are as of %s." = "Không mất gì cả; số liệu là của lúc %s.",
  "The database does not answer." = "Cơ sở dữ liệu không trả lời.",
  "This page asks again every second and comes back by itself." =
    "Trang hỏi lại mỗi giây và tự trở lại.",
  "database down" = "mất cơ sở dữ liệu", "freshness unknown" = "không rõ độ mới",
  "data until " = "dữ liệu đến ", " \u00b7 %d/%d hours complete" = " \u00b7 đủ %d/%d giờ",
  # numbers and time
  "%.0f min %02.0f s" = "%.0f phút %02.0f giây", "%.1f s" = "%.1f giây", "%.0f s" = "%.0f giây",
  " pp" = " điểm", "week of %s" = "tuần từ %s", "Hour" = "Giờ", "Day" = "Ngày", "Week" = "Tuần",
  "Sun" = "CN", "Mon" = "T2", "Tue" = "T3", "Wed" = "T4", "Thu" = "T5", "Fri" = "T6",
  "Sat" = "T7", "%s by %s" = "%s theo %s", "%s of %s sessions" = "%s trong %s phiên",
  "%s\u2013%s of %s" = "%s\u2013%s trong %s", " of " = " trong ", "was %s" = "trước: %s",
  # overview
  "Events" = "Sự kiện", "Conversion rate" = "Tỷ lệ chuyển đổi",
  "Add-to-cart rate" = "Tỷ lệ thêm vào giỏ", "Bounce rate" = "Tỷ lệ thoát",
  "more by robots, left out" = "nữa của rô-bốt, không tính",
  "%s of %s sessions that viewed" = "%s trong %s phiên có xem",
  "more added without a view" = "nữa thêm vào giỏ mà không xem",
  "nothing to compare" = "không có gì để so",
  "%s of the complete buckets, and of the period before" = "%s của các khoảng đủ, và của kỳ trước",
  "Headline numbers against the period before" = "Số liệu chính so với kỳ trước",
  "still open" = "chưa hết", "before" = "kỳ trước", "period before" = "kỳ trước",
  "first events on %s" = "sự kiện đầu tiên ngày %s",
  "no events in the period before" = "kỳ trước không có sự kiện", "Bucket" = "Đơn vị",
  "From" = "Từ", "Converted" = "Chuyển đổi", "Yesterday, %s" = "Hôm qua, %s",
  ", against the same day a week before: " = ", so với cùng ngày tuần trước: ",
  "Nothing is loaded of the same day a week before." = "Chưa nạp gì của cùng ngày tuần trước.",
  "visitors" = "khách", "sessions" = "phiên", "conversion" = "chuyển đổi",
  "Closed funnel" = "Phễu theo thứ tự", "Open the funnel" = "Mở phễu", "Of all" = "Tỷ trọng",
  "Conversion" = "Chuyển đổi", "Sessions by hour and weekday" = "Phiên theo giờ và thứ",
  "Sessions that start in an hour, per day; whole days only, today when it is over." =
    "Phiên bắt đầu trong giờ đó, mỗi ngày; chỉ ngày trọn, hôm nay khi đã hết.",
  "No whole day of this range has a session that passes the filter." =
    "Không có ngày trọn nào trong khoảng này có phiên qua bộ lọc.",
  "%s %02d:00: %s sessions" = "%s %02d:00: %s phiên",
  "Completeness" = "Độ đầy đủ", "pending" = "đang chờ", "and %d more" = "và %d khoảng nữa",
  "Data is missing in %s: an operator loads it, make backfill." =
    "Thiếu dữ liệu ở %s: người vận hành nạp lại, make backfill.",
  # funnel
  "%s left" = "%s rời đi", "%s still open" = "%s chưa hết", "median %s" = "trung vị %s",
  "Who left where" = "Ai rời đi ở đâu", "Left after" = "Rời đi sau",
  "Of the first step" = "So với bước đầu", "Still open" = "Chưa hết",
  "Median to the next step" = "Trung vị đến bước sau", "Look at" = "Xem",
  "%s sessions" = "%s phiên", "same as in order" = "như theo thứ tự",
  "not in order" = "không theo thứ tự",
  "Closed: every step in order" = "Theo thứ tự: từng bước một",
  "of sessions with a %s complete every step in order" = "số phiên có %s đi hết các bước",
  "Sessions that reached each step in order" = "Phiên đến từng bước theo thứ tự",
  "Heights" = "Chiều cao", "Of the step before" = "So với bước trước",
  "In order, of the first" = "Theo thứ tự, so với bước đầu",
  "In order, of the step before" = "Theo thứ tự, so với bước trước",
  "Any order, of the first" = "Bất kỳ thứ tự, so với bước đầu",
  "Any order, of the step before" = "Bất kỳ thứ tự, so với bước trước",
  "Closed funnel, split" = "Phễu theo thứ tự, chia nhỏ", "Split by" = "Chia theo",
  "Steps" = "Các bước", "Step %d" = "Bước %d", "Remove step %d" = "Bỏ bước %d",
  "Add a step" = "Thêm bước", "Usual steps" = "Các bước thường dùng",
  "Steps of choice are for ranges of at most %d days." =
    "Các bước tự chọn dành cho khoảng nhiều nhất %d ngày.",
  "This range is too long" = "Khoảng này quá dài",
  "The split and the lists of sessions are of the usual four steps." =
    "Phần chia nhỏ và danh sách phiên là của bốn bước thường dùng.",
  "New / returning" = "Mới / quay lại", "of %s" = "trên %s", "View" = "Xem", "Cart" = "Giỏ",
  "Checkout" = "Thanh toán", "Done" = "Hoàn tất", "Value" = "Giá trị", "All steps" = "Hết các bước",
  "No session of this range has a product view." = "Không phiên nào trong khoảng này xem sản phẩm.",
  "The %d most viewed; a session counts whole for each that it has." =
    "%d giá trị xem nhiều nhất; phiên được tính trọn cho mỗi giá trị nó có.",
  "Step" = "Bước", "In order" = "Theo thứ tự", "Left" = "Rời đi",
  "Any order" = "Bất kỳ thứ tự", "Median time" = "Thời gian trung vị",
  "Checkout complete is sent by a timer: its time says nothing about shoppers." =
    "Hoàn tất thanh toán do bộ hẹn giờ gửi: thời gian đó không nói gì về người mua.",
  "Open: reached that step at all" = "Bất kỳ thứ tự: có đến bước đó",
  "sessions with a %s, in whatever order" = "phiên có %s, bất kỳ thứ tự",
  "Sessions that reached each step at all" = "Phiên có đến từng bước",
  # products
  "Product" = "Sản phẩm", "Views" = "Lượt xem", "Adds" = "Thêm", "Removed" = "Bỏ khỏi giỏ",
  "Add-to-cart" = "Tỷ lệ thêm", "Bought, at most" = "Mua, nhiều nhất", "Price seen" = "Giá đã thấy",
  "Name or product id" = "Tên hoặc mã sản phẩm", "Sort by" = "Sắp xếp theo",
  "Search by name or product id" = "Tìm theo tên hoặc mã sản phẩm",
  "The other way round" = "Đảo thứ tự", "Previous" = "Trước", "Next" = "Sau",
  "No product of this range has “%s” in its name or id." =
    "Không có sản phẩm nào trong khoảng này có “%s” trong tên hoặc mã.",
  "%s with an event in this range" = "%s sản phẩm có sự kiện trong khoảng này",
  "This product against the period before" = "Sản phẩm này so với kỳ trước",
  "This product" = "Sản phẩm này", "All products" = "Tất cả sản phẩm",
  "No event of this product is in this range and passes the filters." =
    "Không có sự kiện nào của sản phẩm này trong khoảng này và qua bộ lọc.",
  "Price and labels" = "Giá và nhãn", "In this range" = "Trong khoảng này",
  "Choose at most %d days." = "Hãy chọn nhiều nhất %d ngày.", "%s, always" = "%s, luôn vậy",
  "Sessions that added without a view" = "Phiên thêm vào giỏ mà không xem",
  "Added without a view" = "Thêm mà không xem",
  "Discount prices that cannot be a price" = "Giá giảm không thể là giá",
  " events with one. " = " sự kiện có giá giảm. ", "Discount price" = "Giá giảm",
  "Product views; %s more in the rest." = "Lượt xem sản phẩm; %s nữa ở phần còn lại.",
  "Product views." = "Lượt xem sản phẩm.", "Categories" = "Danh mục", "Brands" = "Thương hiệu",
  # visitors
  "Visitors against the period before" = "Khách so với kỳ trước", "New visitors" = "Khách mới",
  "Returning visitors" = "Khách quay lại", "Sessions per visitor" = "Phiên / khách",
  "Session length (median)" = "Độ dài phiên (trung vị)", "Views per session" = "Lượt xem / phiên",
  "New and returning visitors" = "Khách mới và quay lại", "New sessions" = "Phiên mới",
  "Returning sessions" = "Phiên quay lại", "Sessions without a client" = "Phiên không rõ khách",
  "Within 30 days of the first data old visitors look new." =
    "Trong 30 ngày đầu có dữ liệu, khách cũ trông như mới.",
  "Retention" = "Giữ chân",
  "Cohort" = "Nhóm", "Weeks begin on Monday." = "Tuần bắt đầu từ thứ Hai.",
  "First week" = "Tuần đầu tiên", "new" = "mới",
  "returning" = "quay lại", "Sessions of a visitor" = "Số phiên mỗi khách",
  "Length of sessions" = "Độ dài phiên", "Views of sessions" = "Lượt xem mỗi phiên",
  "1 session" = "1 phiên", "2 sessions" = "2 phiên", "3 sessions" = "3 phiên",
  "4 sessions" = "4 phiên", "5 sessions" = "5 phiên", "6 sessions or more" = "6 phiên trở lên",
  "up to 10 s" = "đến 10 giây", "11\u201360 s" = "11\u201360 giây",
  "1\u20135 min" = "1\u20135 phút", "5\u201315 min" = "5\u201315 phút",
  "15\u201330 min" = "15\u201330 phút", "over 30 min" = "hơn 30 phút", "no view" = "không xem",
  "1 view" = "1 lượt xem", "2 views" = "2 lượt xem", "3\u20134 views" = "3\u20134 lượt xem",
  "5\u20139 views" = "5\u20139 lượt xem", "10\u201319 views" = "10\u201319 lượt xem",
  "20 views or more" = "20 lượt xem trở lên",
  # sessions and explore
  "newest first" = "mới nhất trước", "Bounced" = "Thoát",
  "Left after a view" = "Rời đi sau khi xem", "Left the cart" = "Bỏ giỏ",
  "Left the checkout" = "Bỏ thanh toán", "bounced" = "thoát", "no cart" = "không có giỏ",
  "left the cart" = "bỏ giỏ", "left the checkout" = "bỏ thanh toán",
  "checkout complete" = "hoàn tất thanh toán", "not set" = "không có", "Start" = "Bắt đầu",
  "Client" = "Mã khách", "Visitor" = "Loại khách", "Length" = "Dài", "Outcome" = "Kết quả",
  "Newer" = "Mới hơn", "Older" = "Cũ hơn", "%s later" = "%s sau",
  "One session, in order" = "Một phiên, theo thứ tự",
  "No session chosen" = "Chưa chọn phiên",
  "Choose the start of one in the list." = "Chọn lúc bắt đầu của một phiên trong danh sách.",
  "Nothing is stored of this session: it was erased, or is older than what is kept." =
    "Không còn lưu gì của phiên này: đã bị xóa, hoặc cũ hơn thời hạn lưu.",
  "This link is out of date" = "Liên kết đã cũ",
  "Sessions were counted anew since it was made, and none has that event now." =
    "Các phiên đã được tính lại sau khi tạo liên kết, và không phiên nào có sự kiện đó nữa.",
  "This session was counted anew since the link was made; its events are the same." =
    "Phiên này đã được tính lại sau khi tạo liên kết; các sự kiện vẫn vậy.",
  "The first %s events." = "%s sự kiện đầu tiên.", "Columns" = "Cột",
  "the session" = "xem phiên", "CSV (%s rows)" = "CSV (%s dòng)",
  "The file could not be made whole, so nothing was saved. Try again, or a shorter range." =
    "Không tạo được tệp trọn vẹn nên không lưu gì. Hãy thử lại hoặc chọn khoảng ngắn hơn.",
  "Time" = "Thời gian", "Session" = "Phiên", "Event id" = "Mã sự kiện",
  "Product id" = "Mã sản phẩm", "Discount as sent" = "Giảm giá như đã gửi",
  "Path" = "Đường dẫn", "Account" = "Tài khoản", "Identity source" = "Nguồn định danh",
  "First visit, as sent" = "Lần đầu, như đã gửi",
  # pipeline
  "How far the data goes" = "Dữ liệu đến đâu", "Data until" = "Dữ liệu đến",
  "Newest event" = "Sự kiện mới nhất", "Loaded" = "Đã nạp", "Quarantined" = "Bị cách ly",
  "Pending" = "Đang chờ", "Last runs" = "Các lần chạy gần đây", "Run" = "Lần chạy",
  "Started" = "Bắt đầu", "Result" = "Kết quả", "Took" = "Mất", "Objects" = "Đối tượng",
  "Stored" = "Đã lưu", "Duplicate" = "Trùng", "erased" = "đã xóa", "expired" = "quá hạn",
  "in conflict" = "mâu thuẫn", "loaded" = "đã nạp", "partial" = "một phần", "busy" = "bận",
  "running" = "đang chạy", "failed" = "lỗi", "Quarantine" = "Cách ly", "Reason" = "Lý do",
  "Records" = "Bản ghi", "Newest" = "Mới nhất", "Hours" = "Các giờ",
  "Every hour of seven days" = "Từng giờ trong bảy ngày", "complete" = "đủ",
  "quarantined" = "bị cách ly", "some in quarantine" = "một số bị cách ly", "gap" = "thiếu",
  "%s: %s objects, %s" = "%s: %s đối tượng, %s",
  "%d of %d hours have a gap, the newest %s. An operator loads them: make backfill." =
    "%d trong %d giờ bị thiếu, mới nhất %s. Người vận hành nạp lại: make backfill.",
  "No gap in %d hours; %s objects in quarantine." =
    "Không thiếu giờ nào trong %d giờ; %s đối tượng bị cách ly.",
  "No run yet" = "Chưa chạy lần nào",
  "The rule fires the loader every hour." = "Trình nạp chạy mỗi giờ.", "Empty" = "Trống",
  "No record waits for a reload." = "Không có bản ghi nào chờ nạp lại.",
  "What could not be loaded is kept with its reason and a sample." =
    "Những gì không nạp được đều được giữ lại kèm lý do và mẫu.",
  "Rejected records" = "Bản ghi bị từ chối", "Object" = "Đối tượng",
  "How it begins" = "Phần đầu", "Since" = "Từ lúc", "the whole object" = "cả đối tượng",
  "record %s" = "bản ghi %s", "The newest %s; the counts by reason have all." =
    "%s mục mới nhất; số đếm theo lý do có tất cả.",
  "From an event to its object" = "Từ sự kiện đến đối tượng của nó", "Find" = "Tìm",
  "That is no event id." = "Đó không phải mã sự kiện.",
  "No stored event has this id." = "Không có sự kiện nào với mã này.", "Place" = "Vị trí",
  "record %s, %s bytes, ETag %s" = "bản ghi %s, %s byte, ETag %s", "Event time" = "Lúc xảy ra",
  "%s by run %s" = "%s bởi lần chạy %s", "As" = "Là", "stored" = "đã lưu",
  "a copy, not stored again" = "bản sao, không lưu lại",
  "a copy that differs, not stored" = "bản sao khác biệt, không lưu",
  # reasons of quarantine
  "Empty file" = "Tệp rỗng", "The object has no content." = "Đối tượng không có nội dung.",
  "Nothing is lost if nothing was to be in it; else its sender writes it again." =
    "Không mất gì nếu vốn không có gì; nếu có, bên gửi ghi lại.",
  "Truncated gzip" = "Gzip bị cắt cụt",
  "The compressed file breaks off before its end; whole records before that are loaded." =
    "Tệp nén bị đứt trước khi kết thúc; các bản ghi trọn vẹn trước đó đã được nạp.",
  "Upload the whole file under the same key: the next run loads it." =
    "Tải lên trọn tệp dưới cùng khóa: lần chạy sau sẽ nạp.",
  "Corrupt gzip" = "Gzip bị hỏng",
  "The compressed file is damaged and cannot be unpacked." =
    "Tệp nén bị hỏng, không giải nén được.",
  "Not UTF-8" = "Không phải UTF-8",
  "It has bytes that are no UTF-8 text." = "Có byte không phải văn bản UTF-8.",
  "Write it as UTF-8 under the same key: the next run loads it." =
    "Ghi lại bằng UTF-8 dưới cùng khóa: lần chạy sau sẽ nạp.",
  "Not JSON" = "Không phải JSON",
  "It is no JSON: cut off, a page of HTML, or text of another kind." =
    "Không phải JSON: bị cắt, là trang HTML, hoặc văn bản loại khác.",
  "Mend the object under the same key: the next run loads it." =
    "Sửa đối tượng dưới cùng khóa: lần chạy sau sẽ nạp.",
  "Not an object" = "Không phải đối tượng JSON",
  "It is JSON, but a text, a number or a list where an event belongs." =
    "Là JSON, nhưng là chuỗi, số hay danh sách ở chỗ của một sự kiện.",
  "If an event was meant, mend its sender; what came stays here." =
    "Nếu đúng ra là sự kiện, hãy sửa bên gửi; cái đã đến vẫn nằm đây.",
  "Not an event" = "Không phải sự kiện",
  "It has no event name, no event id, no client id and no session id." =
    "Không có tên sự kiện, mã sự kiện, mã khách lẫn mã phiên.",
  "Nested too deeply" = "Lồng quá sâu",
  "Its lists and objects lie deeper in each other than the loader reads." =
    "Các danh sách và đối tượng lồng nhau sâu hơn mức trình nạp đọc.",
  "Mend its sender; or an operator raises ETL_NESTING and loads the quarantine again." =
    "Sửa bên gửi; hoặc người vận hành tăng ETL_NESTING rồi nạp lại phần cách ly.",
  "Record too large" = "Bản ghi quá lớn",
  "This record is larger than the loader takes; its neighbours are loaded." =
    "Bản ghi này lớn hơn mức trình nạp nhận; các bản ghi bên cạnh đã được nạp.",
  "If it is an event, an operator raises ETL_RECORD_BYTES and loads the quarantine again." =
    "Nếu là sự kiện, người vận hành tăng ETL_RECORD_BYTES rồi nạp lại phần cách ly.",
  "Too many records" = "Quá nhiều bản ghi",
  "The file has more records than the loader takes; the first are loaded." =
    "Tệp có nhiều bản ghi hơn mức trình nạp nhận; các bản ghi đầu đã được nạp.",
  "Split the file; or an operator raises ETL_RECORDS and loads the quarantine again." =
    "Chia nhỏ tệp; hoặc người vận hành tăng ETL_RECORDS rồi nạp lại phần cách ly.",
  "Object too large" = "Đối tượng quá lớn",
  "It is larger than the loader takes, packed or unpacked; not read at all." =
    "Lớn hơn mức trình nạp nhận, khi nén hoặc giải nén; không đọc chút nào.",
  "Split it; or an operator raises ETL_OBJECT_BYTES and ETL_DECOMPRESSED_BYTES and reloads it." =
    "Chia nhỏ; hoặc người vận hành tăng ETL_OBJECT_BYTES và ETL_DECOMPRESSED_BYTES rồi nạp lại.",
  "Unreadable key" = "Khóa không đọc được",
  "Its key has a part that cannot be asked for: an empty one, or dots." =
    "Khóa có phần không thể yêu cầu: phần rỗng, hoặc dấu chấm.",
  "Copy it to a plain key of the same hour; an operator loads that hour: make backfill." =
    "Chép sang một khóa thường cùng giờ; người vận hành nạp giờ đó: make backfill.",
  "Archived" = "Đã lưu kho",
  "It lies in an archive class of S3, which cannot be read at once." =
    "Nằm ở lớp lưu trữ của S3, không đọc ngay được.",
  "Restore it in S3; then an operator loads the quarantine again." =
    "Khôi phục trong S3; sau đó người vận hành nạp lại phần cách ly.",
  # events
  "Page view" = "Xem trang", "Click" = "Nhấp", "Share" = "Chia sẻ", "Home view" = "Xem trang chủ",
  "Category view" = "Xem danh mục", "Product view" = "Xem sản phẩm",
  "Add to cart" = "Thêm vào giỏ", "Remove from cart" = "Bỏ khỏi giỏ", "Wish list" = "Yêu thích",
  "Login opened" = "Mở đăng nhập", "Log out" = "Đăng xuất",
  "Checkout start" = "Bắt đầu thanh toán", "Checkout complete" = "Hoàn tất thanh toán",
  "Unknown" = "Không rõ"
)

definitions_vietnamese <- c(
  heat = "Phiên bắt đầu trong giờ địa phương đó ÷ số lần giờ đó có, chỉ ngày trọn.",
  visitors = paste(
    "Số client_id khác nhau của sự kiện trong khoảng và bộ lọc. Chính xác, không ước",
    "tính."
  ),
  sessions = paste(
    "Theo session_id nếu có; nếu không, khách vắng hơn 30 phút thì bắt đầu phiên mới. Phiên thuộc",
    "về lúc có sự kiện đầu tiên. Không tách lúc nửa đêm. Quá 5.000 sự kiện: rô-bốt, không tính."
  ),
  conversion = "Phiên có checkout_complete ÷ phiên.",
  cart = paste(
    "Phiên có xem sản phẩm và thêm vào giỏ, bất kỳ thứ tự ÷ phiên có xem sản phẩm. Phiên thêm mà",
    "không xem được đếm riêng."
  ),
  bounce = paste(
    "1 − phiên có tương tác ÷ phiên. Có tương tác: dài hơn 10 giây, hoặc các lượt xem",
    "cách nhau hơn",
    "5 giây, hoặc thêm vào giỏ, bắt đầu hay hoàn tất thanh toán."
  ),
  events = "Sự kiện đã lưu trong khoảng và bộ lọc; mỗi sự kiện một lần.",
  mix = "Sự kiện theo tên. Bộ lọc đăng nhập xét trạng thái của chính sự kiện.",
  login = paste(
    "Phiên là đã đăng nhập nếu có một sự kiện như vậy, nếu không thì khách vãng lai, ẩn",
    "danh, khác,",
    "không có."
  ),
  funnel = paste(
    "Theo thứ tự: mỗi bước là sự kiện khác sớm nhất không trước bước liền trước, trong một phiên,",
    "không giới hạn thời gian. Rời đi: không đi tiếp, trong các phiên đã hết. Chưa hết:",
    "sự kiện cuối",
    "chưa quá 30 phút trước lúc dữ liệu đến. Bất kỳ thứ tự: phiên có đến bước đó."
  ),
  split = paste(
    "Phễu của mỗi giá trị là kết quả khi lọc theo nó, nên phiên có hai danh mục hay thương hiệu",
    "được tính cho cả hai. Thanh: so với bước trước; vạch là của mọi phiên."
  ),
  products = paste(
    "Theo mã sản phẩm, không tính category_view. Tên, nhãn và giá đã thấy: của sự kiện mới nhất có",
    "nó. Tỷ lệ thêm: phiên có xem và thêm, bất kỳ thứ tự ÷ phiên có xem. Mua: phiên có",
    "thêm rồi hoàn",
    "tất thanh toán sau đó, ước tính trên."
  ),
  product_events = "Sự kiện có tên đó với mã sản phẩm này, trong khoảng ngày và bộ lọc.",
  product_rate = paste(
    "Phiên đã xem và thêm sản phẩm này, bất kỳ thứ tự \u00f7 phiên đã xem nó."
  ),
  product_bought = paste(
    "Phiên đã thêm sản phẩm này rồi hoàn tất thanh toán sau đó: ước tính cao nhất, vì thanh toán",
    "không nêu sản phẩm. Phiên thuộc về lúc có sự kiện đầu tiên."
  ),
  price_seen = paste(
    "Giá đã thấy: của sự kiện mới nhất có giá. Trong khoảng này: giá thấp nhất và cao nhất trong",
    "các sự kiện qua khoảng ngày và bộ lọc. Không lấy giá nào từ discountPrice."
  ),
  unviewed = "Phiên thêm vào giỏ mà không xem sản phẩm nào: không nằm trong tỷ lệ nào.",
  discount = paste(
    "discountPrice chỉ là giá nếu trên 100 và dưới giá của sự kiện: cửa hàng ghi phần trăm vào đó.",
    "Không số nào ở đây tính từ nó."
  ),
  value = "Lượt xem theo giá trị của chính sự kiện, cách viết mới nhất; không sửa quá khứ.",
  new = paste(
    "Mới: lần đầu thấy (sự kiện sớm nhất của khách, bất kể bộ lọc) nằm trong khoảng; nếu không là",
    "quay lại. Cộng lại thành số khách."
  ),
  returning = "Khách đã thấy từ trước khoảng này.",
  per_visitor = "Phiên ÷ số khách khác nhau của chúng.",
  length = "Trung vị của sự kiện cuối − đầu, với phiên có từ hai sự kiện.",
  depth = "Lượt xem trang chủ, danh mục, sản phẩm và trang ÷ phiên.",
  retention = paste(
    "Khách lần đầu thấy trong ngày hay tuần đó và có sự kiện qua bộ lọc; mỗi ô: bao nhiêu người có",
    "sự kiện trong ngày hay tuần thứ n sau đó. Chưa tới: để trống; chưa hết: gạch chéo."
  ),
  filter = paste(
    "Giá trị của một bộ lọc: một trong số đó. Các bộ lọc: tất cả. Sự kiện và khách: sự",
    "kiện qua hết.",
    "Phiên: một sự kiện qua danh mục, thương hiệu và sự kiện cùng lúc; khi đó tính cả phiên."
  ),
  complete = paste(
    "Với từng giờ của khóa: mọi đối tượng từng liệt kê là đã nạp, bị cách ly, đang chờ hoặc đã mất",
    "(xóa trước khi nạp). Thiếu: đã hết hơn 2 giờ mà chưa liệt kê, hoặc chờ hơn 2 giờ."
  ),
  until = "Lúc bắt đầu của lần chạy mới nhất không để lại gì chờ.",
  newest = "Thời gian của sự kiện mới nhất đã lưu.",
  stored = "Sự kiện đã lưu từ khi có kho, mỗi sự kiện một lần; tính cả những gì đã bị bỏ.",
  loaded = "Đối tượng của kho thô đã nạp; cái bị thay được tính lại.",
  quarantined = "Đối tượng mà bản mới nhất có bản ghi không nạp được.",
  pending = "Đối tượng mà bản mới nhất đã liệt kê nhưng chưa nạp.",
  runs = paste(
    "Bản ghi đã đọc = đã lưu + trùng + bị cách ly + đã xóa + quá hạn. Trùng: đã lưu rồi;",
    "mâu thuẫn:",
    "bản trùng khác về thời gian, tên, khách hay phiên. Quá hạn: cũ hơn thời hạn lưu."
  ),
  quarantine = paste(
    "Bản ghi không nạp được của bản mới nhất mỗi đối tượng, theo lý do, cho đến khi nạp lại. Đối",
    "tượng không đọc được tính là một."
  )
)
