"""Google Analytics 4: the export to BigQuery, as JSON lines or Parquet, or flattened as CSV."""

from __future__ import annotations

from gameday.history.exports.export import Export

__all__ = ["GA4"]

GA4 = Export(
    name="ga4",
    time=("event_timestamp",),
    event=("event_name",),
    user=("user_pseudo_id", "user_id"),
    session=("event_params.ga_session_id", "ga_session_id", "session_id"),
    is_session_of_user=True,
    order=("ecommerce.transaction_id", "event_params.transaction_id", "transaction_id"),
    category=("items.item_category", "item_category"),
    product=("items.item_id", "item_id"),
    price=("items.price", "item_price"),
    steps={
        "view_item": "product",
        "view_item_list": "search",
        "search": "search",
        "view_search_results": "search",
        "add_to_cart": "cart",
        "login": "sign-in",
        "sign_up": "sign-in",
        "purchase": "checkout",
        **dict.fromkeys(
            (
                "page_view",
                "session_start",
                "first_visit",
                "user_engagement",
                "scroll",
                "click",
                "select_item",
                "view_cart",
                "remove_from_cart",
                "add_to_wishlist",
                "begin_checkout",
                "add_shipping_info",
                "add_payment_info",
                "view_promotion",
                "select_promotion",
                "refund",
                "form_start",
                "form_submit",
                "file_download",
                "video_start",
                "video_progress",
                "video_complete",
            )
        ),
    },
    signs=("event_timestamp", "event_name", "user_pseudo_id"),
)
"""Source: Google, "Recommended events" and "BigQuery Export schema"."""
